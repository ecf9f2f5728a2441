/** An ONNX graph: named arrays in, named arrays out. The only module that imports onnxruntime. */

// onnxruntime tells its maker of each session unless it is told not to before it is loaded.
process.env.ORT_DISABLE_TELEMETRY ??= "1";
const { default: ort } = await import("onnxruntime-node");

/** A graph of a model folder. */
export class Graph {
  /**
   * @param {Uint8Array} bytes of the `.onnx` file
   * @param {{threads?: number}} [options]
   * @returns {Promise<Graph>}
   */
  static async open(bytes, { threads = 0 } = {}) {
    const session = await ort.InferenceSession.create(bytes, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableMemPattern: false, // shapes differ from batch to batch: patterns would only pile up
      logSeverityLevel: 3,
    });
    return new Graph(session);
  }

  /** @param {import("onnxruntime-node").InferenceSession} session */
  constructor(session) {
    this.session = session;
  }

  /**
   * Run the graph.
   * @param {Record<string, {data: BigInt64Array | Float32Array, dims: number[]}>} arrays more than the graph
   *   takes may be given
   * @returns {Promise<Record<string, {data: Float32Array, dims: number[]}>>}
   */
  async run(arrays) {
    const feed = {};
    for (const name of this.session.inputNames) {
      const { data, dims } = arrays[name];
      feed[name] = new ort.Tensor(data instanceof Float32Array ? "float32" : "int64", data, dims);
    }
    return this.session.run(feed);
  }
}
