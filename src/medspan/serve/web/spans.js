/**
 * What an annotator does to a list of entities: pure functions that give a new list.
 * @typedef {{label: string, start: number, end: number, isSuggested?: boolean, score?: number}} Mark
 */

// Not a (accept) and not s (skip).
const KEYS = "123456789bcdefghijklmnopqrtuvwxyz";

/** The key that sets each label; labels past the last key have none. @param {string[]} labels */
export const keysOf = (labels) =>
  new Map(labels.slice(0, KEYS.length).map((label, place) => [KEYS[place], label]));

const inOrder = (marks) =>
  marks.toSorted((a, b) => a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : 1));

/** Whether two marks say the same. */
export const isSame = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;

/** With one more; the same mark twice is one. @param {Mark[]} marks @param {Mark} mark */
export const withMark = (marks, mark) => inOrder([...marks.filter((one) => !isSame(one, mark)), mark]);

/** Without one. */
export const without = (marks, mark) => marks.filter((one) => one !== mark);

/** With one replaced by a changed one, which nobody need accept any more. @returns {[Mark[], Mark]} */
export function changed(marks, mark, changes) {
  const renewed = { ...mark, ...changes, isSuggested: false };
  return [withMark(without(marks, mark), renewed), renewed];
}

/**
 * A mark with one border a word further.
 * @param {[number, number][]} words
 * @param {Mark} mark
 * @param {"start" | "end"} border
 * @param {1 | -1} step
 * @returns {{start: number, end: number} | null} null where there is no further word, or nothing would be left
 */
export function movedBorder(words, mark, border, step) {
  const borders = words.map(([start, end]) => (border === "start" ? start : end));
  const further =
    step > 0 ? borders.find((one) => one > mark[border]) : borders.findLast((one) => one < mark[border]);
  const { start, end } = { start: mark.start, end: mark.end, [border]: further };
  return further === undefined || start >= end ? null : { start, end };
}

/** The smallest mark over an offset; of equal ones the last. */
export function innermost(marks, offset) {
  const over = marks.filter(({ start, end }) => start <= offset && offset < end);
  return over.toSorted((a, b) => a.end - a.start - (b.end - b.start)).at(0) ?? null;
}

/** The mark after (or before) an offset, round the end. @param {1 | -1} step */
export function neighbour(marks, chosen, offset, step) {
  if (!marks.length) return null;
  const at = marks.indexOf(chosen);
  if (at >= 0) return marks[(at + step + marks.length) % marks.length];
  const found =
    step > 0 ? marks.find(({ start }) => start >= offset) : marks.findLast(({ start }) => start < offset);
  return found ?? marks.at(step > 0 ? 0 : -1);
}
