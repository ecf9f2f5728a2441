/** A model folder: `config.json`, and the files it lists with their digests. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { TABLES } from "./characters.mjs";
import { TagDecoder, iobesTags } from "./viterbi.mjs";

const NEWEST_FORMAT = 4;
const OLDEST_FORMAT = 1;
const KNOWN_INPUTS = new Set(["word_states", "word_ids", "char_ids", "case_ids", "form_index", "lengths"]);
const KNOWN_FILES = new Set(["vocab.json", "decoder.safetensors", "forms.onnx", "model.onnx", "golden.json"]);

/** An opened model folder. */
export class ModelFolder {
  /**
   * Open a folder.
   * @param {string} folder
   * @returns {Promise<ModelFolder>}
   */
  static async open(folder) {
    const file = path.join(folder, "config.json");
    const config = JSON.parse(await readFile(file, "utf8"));
    check(config, file);
    return new ModelFolder(folder, config);
  }

  constructor(folder, config) {
    this.folder = folder;
    this.config = config;
  }

  /**
   * The bytes of a file, which are those the model was saved with.
   * @param {string} name
   * @returns {Promise<Buffer>}
   */
  async read(name) {
    const digest = KNOWN_FILES.has(name) ? this.config.files[name] : undefined;
    if (digest === undefined) throw new Error(`${this.folder}: this model has no file ${name}`);
    const bytes = await readFile(path.join(this.folder, name));
    if (createHash("sha256").update(bytes).digest("hex") !== digest) {
      throw new Error(`${path.join(this.folder, name)}: is not the file the model was saved with`);
    }
    return bytes;
  }

  /**
   * The decoder of each head, by the head's name.
   * @returns {Promise<Map<string, TagDecoder>>}
   */
  async decoders() {
    const tensors = readSafetensors(await this.read("decoder.safetensors"));
    return new Map(this.config.heads.map((head) => [head.name, decoderOf(head, tensors)]));
  }
}

/** Refuse what this example cannot run, saying why. */
function check(config, file) {
  const version = config.format_version;
  if (!Number.isInteger(version) || version < OLDEST_FORMAT || version > NEWEST_FORMAT || !config.heads) {
    throw new Error(
      `${file}: is not the config of a model of format ${OLDEST_FORMAT} to ${NEWEST_FORMAT} that finds entities`,
    );
  }
  if (config.tokenizer !== TABLES.tokenizer) {
    throw new Error(`${file}: tokenizer ${config.tokenizer}; this example cuts words as ${TABLES.tokenizer}`);
  }
  const strange = config.inputs.filter((name) => !KNOWN_INPUTS.has(name));
  if (strange.length) {
    throw new Error(`${file}: takes ${strange.join(", ")}; this example runs models over words only`);
  }
}

/** @param {{name: string, kind?: string, labels: string[], temperature?: number}} head */
function decoderOf(head, tensors) {
  const count = iobesTags(head.labels).length;
  const parts = {};
  if ((head.kind ?? "crf") === "crf") {
    for (const [part, size] of Object.entries({ transitions: count * count, start: count, end: count })) {
      parts[part] = tensors.get(`${head.name}.${part}`);
      if (parts[part]?.length !== size) {
        throw new Error(`decoder.safetensors: ${head.name}.${part} does not fit the head's labels`);
      }
    }
  }
  return new TagDecoder(head.labels, parts, head.temperature ?? 1);
}

/**
 * Tensors of a safetensors file: eight bytes with the length of a JSON header, the header, then numbers.
 * @param {Buffer} bytes
 * @returns {Map<string, Float32Array>}
 */
export function readSafetensors(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString("utf8"));
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (entry.dtype !== "F32") throw new Error(`safetensors: ${name} is ${entry.dtype}; F32 is needed`);
    const [first, stop] = entry.data_offsets.map((offset) => offset + 8 + length);
    tensors.set(name, new Float32Array(Uint8Array.from(bytes.subarray(first, stop)).buffer));
  }
  return tensors;
}
