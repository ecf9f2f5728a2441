/** Offsets of JavaScript strings (UTF-16 units) and of the service (code points), and the words of a text. */

// The cuts of medspan.text.tokenize: runs of letters and digits with their marks; any other character alone.
const WORD =
  /[\p{L}\p{N}][\p{L}\p{N}\p{M}\u200c\u200d]*|[^\s\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]\p{M}*/gu;

/**
 * A function from offsets of the string to offsets in code points.
 * @param {string} text
 * @returns {(offset: number) => number}
 */
export function toCodepoints(text) {
  const low = lowSurrogates(text);
  return (offset) => offset - countBelow(low, offset);
}

/** Places of the second halves of characters above U+FFFF. */
function lowSurrogates(text) {
  const found = [];
  for (let at = 1; at < text.length; at += 1) {
    if (isLow(text, at) && isHigh(text, at - 1)) found.push(at);
  }
  return found;
}

const isHigh = (text, at) => (text.charCodeAt(at) & 0xfc00) === 0xd800;
const isLow = (text, at) => (text.charCodeAt(at) & 0xfc00) === 0xdc00;

/** How many of some ascending numbers are below a number. */
function countBelow(numbers, limit) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A document with all offsets in code points, as /v1/convert wants it. */
export function inCodepoints(document) {
  const moved = toCodepoints(document.text);
  const ends = (item) => ({ ...item, start: moved(item.start), end: moved(item.end) });
  const spans = (list) => list.map(([start, end]) => [moved(start), moved(end)]);
  const changed = {
    ...document,
    entities: document.entities.map((entity) => withSpans(entity, ends, spans)),
  };
  if (document.sections) changed.sections = document.sections.map(ends);
  if (document.sentences) changed.sentences = spans(document.sentences);
  return changed;
}

function withSpans(entity, ends, spans) {
  return entity.spans ? { ...ends(entity), spans: spans(entity.spans) } : ends(entity);
}

/** Number of code points. @param {string} text */
export const characters = (text) => toCodepoints(text)(text.length);

/** Words and single other characters that are not blank. @param {string} text @returns {[number, number][]} */
export function wordsOf(text) {
  return [...text.matchAll(WORD)].map((found) => [found.index, found.index + found[0].length]);
}

/** The smallest range of whole words that covers a range; null where it covers none. */
export function wholeWords(words, start, end) {
  const inside = words.filter(([from, to]) => from < end && to > start);
  return inside.length ? [inside[0][0], inside.at(-1)[1]] : null;
}
