/** The table of distinct words: what depends on a word's form alone is computed once and kept. */

import { wordShape } from "./normalize.mjs";

const BLOCK = 64; // always as many, padded: the numbers of a form then depend on no other form
const LARGEST_TABLE = 1 << 15;

/**
 * What is known of a word: ids of its normal form, shape and characters, and its states once they are asked
 * for, where the model has a network of forms.
 * @typedef {{word: number, shape: number, characters: number[], states: Float32Array | null}} Form
 */

/** Forms of words and, by the network of `forms.onnx`, their states. */
export class FormTable {
  /**
   * @param {import("./vocab.mjs").Vocab} vocab
   * @param {number} maxChars characters kept of a word
   * @param {import("./graph.mjs").Graph | null} network
   */
  constructor(vocab, maxChars, network) {
    this.vocab = vocab;
    this.maxChars = maxChars;
    this.network = network;
    this.forms = new Map();
  }

  /** Forget all forms if there are too many: losing them costs time, never a result. */
  trim() {
    if (this.forms.size > LARGEST_TABLE) this.forms.clear();
  }

  /** @param {string} word as it stands in the text @returns {Form} */
  get(word) {
    let form = this.forms.get(word);
    if (form === undefined) {
      form = {
        word: this.vocab.wordId(word),
        shape: wordShape(word),
        characters: shorten(Array.from(word), this.maxChars).map((c) => this.vocab.charId(c)),
        states: null,
      };
      this.forms.set(word, form);
    }
    return form;
  }

  /**
   * Compute the states of those of some forms that have none.
   * @param {Form[]} forms
   */
  async computeStates(forms) {
    const missing = [...new Set(forms.filter((form) => form.states === null))];
    for (let first = 0; first < missing.length; first += BLOCK) {
      const block = missing.slice(first, first + BLOCK);
      const { word_states: states } = await this.network.run(this.blockArrays(block));
      const width = states.dims[1];
      block.forEach((form, i) => {
        form.states = states.data.slice(i * width, (i + 1) * width);
      });
    }
  }

  /** The arrays of a block of forms, padded to the same size whatever they are. */
  blockArrays(block) {
    return formArrays(block, { rows: BLOCK, characters: this.maxChars });
  }
}

/**
 * `word_ids`, `case_ids` and `char_ids` of some forms.
 * @param {Form[]} forms
 * @param {{rows: number, characters: number}} size
 * @returns {Record<string, {data: BigInt64Array, dims: number[]}>}
 */
export function formArrays(forms, { rows, characters }) {
  const ids = (...dims) => ({ data: new BigInt64Array(dims.reduce((a, b) => a * b)), dims });
  const arrays = { word_ids: ids(rows), case_ids: ids(rows), char_ids: ids(rows, characters) };
  forms.forEach((form, i) => {
    arrays.word_ids.data[i] = BigInt(form.word);
    arrays.case_ids.data[i] = BigInt(form.shape);
    form.characters.forEach((id, k) => {
      arrays.char_ids.data[i * characters + k] = BigInt(id);
    });
  });
  return arrays;
}

/**
 * The first and last halves of what is longer than a size.
 * @template T
 * @param {T[]} items
 * @param {number} size
 * @returns {T[]}
 */
export function shorten(items, size) {
  if (items.length <= size) return items;
  const half = Math.floor(size / 2);
  return [...items.slice(0, size - half), ...items.slice(items.length - half)];
}
