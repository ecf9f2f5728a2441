/** Words of a text: the rules of medspan.text.tokenize, whose docstring says them in full. */

import { ALNUM, BLANK, EXTENDING } from "./characters.mjs";

const WORD = new RegExp(
  `[${ALNUM}]+(?:[${EXTENDING}]+[${ALNUM}]*)*|[^${BLANK}][${EXTENDING}]*`,
  "gu",
);

/**
 * The words of a text.
 * @param {string} text it is not repaired, stripped or normalised
 * @returns {{start: number, end: number}[]} offsets in UTF-16 units, ascending and disjoint
 */
export function tokenize(text) {
  return Array.from(text.matchAll(WORD), (found) => ({
    start: found.index,
    end: found.index + found[0].length,
  }));
}
