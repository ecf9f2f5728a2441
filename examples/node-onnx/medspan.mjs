/** Runs model folders of medspan with onnxruntime-node; no Python. */

import path from "node:path";

import { Places } from "./src/characters.mjs";
import { ModelFolder } from "./src/folder.mjs";
import { resolveOverlaps } from "./src/overlaps.mjs";
import { Tagger } from "./src/tagger.mjs";

/**
 * @typedef {{id: string, label: string, start: number, end: number, text: string, score: number}} Entity
 * @typedef {{id: string, text: string, entities: Entity[], sentences?: [number, number][]}} Document
 */

/** Finds entities; made by `loadModel`. */
export class EntityRecognizer {
  /** @param {Tagger[]} taggers of the model, after that of the one it goes beside */
  constructor(taggers) {
    this.taggers = taggers;
    /** @type {string[]} */
    this.labels = [
      ...new Set(taggers.flatMap(({ config }) => config.heads.flatMap((head) => head.labels))),
    ];
  }

  /**
   * Find the entities of some documents.
   * @param {{id?: string, text: string, sentences?: [number, number][]}[]} documents `sentences`, in code
   *   points, where they are known; else they are found
   * @param {object} [options]
   * @param {"codepoint" | "utf16"} [options.offsets] what offsets count; `utf16` is what JavaScript's
   *   strings count
   * @param {string[]} [options.labels] labels to keep; all where left out
   * @param {number} [options.minScore] entities below this confidence are dropped
   * @returns {Promise<Document[]>} in the same order
   */
  async annotate(documents, { offsets = "codepoint", labels, minScore = 0 } = {}) {
    const unknown = (labels ?? []).filter((label) => !this.labels.includes(label));
    if (unknown.length) throw new Error(`no label ${unknown[0]}; known: ${this.labels.join(", ")}`);
    if (offsets !== "codepoint" && offsets !== "utf16") {
      throw new Error(`offsets are "codepoint" or "utf16", not ${offsets}`);
    }
    const versions = [];
    for (const tagger of this.taggers) {
      if (tagger.finds(labels)) versions.push(await tagger.find(documents, labels));
    }
    return documents.map(({ id, text, sentences = [] }, index) => {
      const found = versions.flatMap((version) => version[index]);
      const merged = versions.length > 1 ? resolveOverlaps(found, "all") : found;
      const isWanted = ({ label, score }) => (!labels || labels.includes(label)) && score >= minScore;
      const places = new Places(text);
      const unit = offsets === "utf16" ? (point) => places.step(0, point) : (point) => point;
      const document = { id: id ?? String(index), text };
      document.entities = entitiesOf(merged, isWanted, unit, (start, end) =>
        text.slice(places.step(0, start), places.step(0, end)),
      );
      if (sentences.length) document.sentences = sentences.map((span) => span.map(unit));
      return document;
    });
  }
}

/** What was found as entities, numbered in text order before some are left out, as medspan does. */
function entitiesOf(found, isWanted, unit, textOf) {
  return found
    .map((entity, i) => ({ ...entity, id: `T${i + 1}` }))
    .filter(isWanted)
    .map(({ id, label, start, end, score }) => {
      return { id, label, start: unit(start), end: unit(end), text: textOf(start, end), score };
    });
}

/**
 * Load a model folder.
 * @param {string} folder with `config.json`
 * @param {object} [options]
 * @param {string} [options.beside] the folder of the model this one goes beside, where its config names one;
 *   where left out, the folder of that name next to this one
 * @param {number} [options.threads] of a forward pass; all cores where left out
 * @returns {Promise<EntityRecognizer>}
 */
export async function loadModel(folder, { beside, threads } = {}) {
  const model = await ModelFolder.open(folder);
  const name = model.config.beside;
  if (!name) return new EntityRecognizer([await Tagger.open(model, { threads })]);
  const other = await ModelFolder.open(beside ?? path.join(path.resolve(folder), "..", name)).catch((error) => {
    throw new Error(`${folder}: goes beside the model ${name}; name its folder with beside (${error.message})`);
  });
  if (other.config.beside) throw new Error(`${other.folder}: goes beside another model itself`);
  return new EntityRecognizer([
    await Tagger.open(other, { threads }),
    await Tagger.open(model, { threads }),
  ]);
}
