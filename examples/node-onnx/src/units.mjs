/** A text → units, the runs of words a model sees at once: medspan.features.cut and medspan.text.windows. */

import { splitSentences } from "./sentences.mjs";
import { tokenize } from "./tokenize.mjs";

/**
 * A sentence, or a window of a long one. `ownedFirst` and `ownedStop` are positions among its words: what it
 * decides on. Every word of a text is owned by exactly one unit.
 * @typedef {{words: {start: number, end: number}[], ownedFirst: number, ownedStop: number}} Unit
 */

/**
 * Cut one text.
 * @param {string} text
 * @param {import("./characters.mjs").Places} places of the text
 * @param {{words: number, overlap: number}} window of the model
 * @param {[number, number][]} [sentences] in code points, where the document marks them
 * @returns {Unit[]}
 */
export function unitsOf(text, places, window, sentences = []) {
  const words = tokenize(text);
  const marked = sentences.flat().map((offset) => places.step(0, offset));
  const borders = marked.length ? marked.sort((a, b) => a - b) : splitSentences(text, places).flat();
  const edges = wordEdges(words, borders);
  const units = [];
  for (let i = 1; i < edges.length; i += 1) {
    const sentence = words.slice(edges[i - 1], edges[i]);
    for (const part of windows(sentence.length, window)) {
      units.push({
        words: sentence.slice(part.first, part.stop),
        ownedFirst: part.ownedFirst - part.first,
        ownedStop: part.ownedStop - part.first,
      });
    }
  }
  return units;
}

/**
 * Which words borders of sentences stand before, ascending, from 0 to the number of words.
 * @param {{start: number}[]} words
 * @param {number[]} borders ascending
 * @returns {number[]}
 */
function wordEdges(words, borders) {
  const edges = new Set([0]);
  let at = 0;
  for (const border of borders) {
    while (at < words.length && words[at].start < border) at += 1;
    edges.add(at);
  }
  edges.add(words.length);
  return [...edges];
}

/**
 * Overlapping windows over some words; their owned ranges tile them.
 * @param {number} count
 * @param {{words: number, overlap: number}} window
 * @returns {{first: number, stop: number, ownedFirst: number, ownedStop: number}[]}
 */
export function windows(count, { words: size, overlap }) {
  if (count <= size) return count ? [{ first: 0, stop: count, ownedFirst: 0, ownedStop: count }] : [];
  const firsts = [];
  for (let first = 0; first < count - overlap; first += size - overlap) firsts.push(first);
  const half = Math.floor(overlap / 2);
  return firsts.map((first, i) => ({
    first,
    stop: Math.min(first + size, count),
    ownedFirst: i ? first + half : 0,
    ownedStop: i + 1 < firsts.length ? firsts[i + 1] + half : count,
  }));
}

/**
 * Positions grouped so that rows x longest row stays within a budget of padded words, short ones first.
 * @param {number[]} lengths
 * @param {number} budget
 * @returns {number[][]}
 */
export function groupByWords(lengths, budget) {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a] - lengths[b] || a - b);
  const groups = [];
  for (const i of order) {
    const group = groups.at(-1);
    if (group && (group.length + 1) * lengths[i] <= budget) group.push(i);
    else groups.push([i]);
  }
  return groups;
}
