/** One model: texts → what it finds in them. Cut, look up, score, decode, stitch, as medspan.model.tagger. */

import { Places } from "./characters.mjs";
import { ModelFolder } from "./folder.mjs";
import { FormTable, formArrays } from "./forms.mjs";
import { Graph } from "./graph.mjs";
import { resolveOverlaps, rounded } from "./overlaps.mjs";
import { groupByWords, unitsOf } from "./units.mjs";
import { Vocab } from "./vocab.mjs";

const BATCH_WORDS = 2000;

const wants = (labels, head) => !labels || head.labels.some((label) => labels.includes(label));

/** Finds entities with one model folder. */
export class Tagger {
  /**
   * @param {ModelFolder} model
   * @param {{threads?: number}} options
   * @returns {Promise<Tagger>}
   */
  static async open(model, { threads } = {}) {
    const { config } = model;
    const vocab = new Vocab(JSON.parse((await model.read("vocab.json")).toString("utf8")));
    const network = config.forms ? await Graph.open(await model.read("forms.onnx"), { threads: 1 }) : null;
    const table = new FormTable(vocab, config.encoder.settings.max_chars, network);
    const graph = await Graph.open(await model.read("model.onnx"), { threads });
    return new Tagger(config, table, graph, await model.decoders());
  }

  constructor(config, table, graph, decoders) {
    this.config = config;
    this.table = table;
    this.graph = graph;
    this.decoders = decoders;
    this.width = config.forms?.width ?? 0;
  }

  /**
   * What the model finds in some documents.
   * @param {{text: string, sentences?: [number, number][]}[]} documents
   * @param {string[] | undefined} labels heads with none of these are left out; all are used where undefined
   * @returns {Promise<import("./overlaps.mjs").Found[][]>} of each; offsets are code points, scores
   *   rounded
   */
  async find(documents, labels) {
    const found = documents.map(() => []);
    const heads = this.config.heads.filter((head) => wants(labels, head));
    const units = documents.flatMap((document, index) => this.unitsOf(document, index));
    for (const members of groupByWords(units.map((unit) => unit.words.length), BATCH_WORDS)) {
      await this.findInBatch(members.map((i) => units[i]), heads, found);
    }
    this.table.trim();
    const policy = this.config.overlap ?? "all";
    return found.map((entities) =>
      resolveOverlaps(entities, policy).map((entity) => ({ ...entity, score: rounded(entity.score) })),
    );
  }

  /** Whether the model finds any of some labels. @param {string[] | undefined} labels @returns {boolean} */
  finds(labels) {
    return this.config.heads.some((head) => wants(labels, head));
  }

  /** The units of a document with the forms of their words. */
  unitsOf({ text, sentences }, index) {
    const places = new Places(text);
    const window = { words: 200, overlap: 40, ...this.config.window };
    return unitsOf(text, places, window, sentences).map((unit) => ({
      ...unit,
      index,
      places,
      forms: unit.words.map(({ start, end }) => this.table.get(text.slice(start, end))),
    }));
  }

  /** Add what a batch of units owns to what was found in their texts. */
  async findInBatch(units, heads, found) {
    const longest = Math.max(...units.map((unit) => unit.words.length));
    const outputs = await this.graph.run(await this.arrays(units, longest));
    for (const head of heads) {
      const decoder = this.decoders.get(head.name);
      const emissions = outputs[`emissions.${head.name}`];
      const row = longest * decoder.count;
      units.forEach((unit, i) => {
        const chunks = decoder.decode(emissions.data.subarray(i * row, (i + 1) * row), unit.words.length);
        for (const { first, stop, label, score } of chunks) {
          if (first < unit.ownedFirst || first >= unit.ownedStop || score < (head.threshold ?? 0)) continue;
          const start = unit.places.points(unit.words[first].start);
          const end = unit.places.points(unit.words[stop - 1].end);
          found[unit.index].push({ start, end, label, score });
        }
      });
    }
  }

  /** The arrays of a batch, as medspan.features.batch lists them. */
  async arrays(units, longest) {
    const lengths = BigInt64Array.from(units, (unit) => BigInt(unit.words.length));
    const arrays = { lengths: { data: lengths, dims: [units.length] } };
    return Object.assign(
      arrays,
      this.table.network ? await this.stateArrays(units, longest) : this.wordArrays(units, longest),
    );
  }

  /** `word_states`: what the network of forms makes of each word, zeros where padded. */
  async stateArrays(units, longest) {
    await this.table.computeStates(units.flatMap((unit) => unit.forms));
    const { width } = this;
    const states = new Float32Array(units.length * longest * width);
    units.forEach((unit, i) => {
      unit.forms.forEach((form, k) => states.set(form.states, (i * longest + k) * width));
    });
    return { word_states: { data: states, dims: [units.length, longest, width] } };
  }

  /** The ids of the distinct forms and which stands where, for a model in one graph. */
  wordArrays(units, longest) {
    const distinct = [...new Set(units.flatMap((unit) => unit.forms))];
    const place = new Map(distinct.map((form, i) => [form, BigInt(i)]));
    const index = new BigInt64Array(units.length * longest);
    units.forEach((unit, i) => {
      unit.forms.forEach((form, k) => {
        index[i * longest + k] = place.get(form);
      });
    });
    const characters = Math.max(...distinct.map((form) => form.characters.length));
    return {
      ...formArrays(distinct, { rows: distinct.length, characters }),
      form_index: { data: index, dims: [units.length, longest] },
    };
  }
}
