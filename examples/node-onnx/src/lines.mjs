/** Groups the lines of a text into blocks that no sentence crosses: the rules of medspan.text.lines. */

import { BLANK, SPACE, firstOf, isAllUpper, isLower, lastOf } from "./characters.mjs";

const EDGE = 80;
const NARROWEST_WRAP = 40;
const WIDEST_WRAP = 200;
const WRAPPED_SHARE = 0.15;
const LONGEST_TITLE = 60;

const BREAKS = "\\n\\v\\f\\r\\x1c-\\x1e\\x85\\u2028\\u2029";
const LINE = new RegExp(`(?:[^${BREAKS}]*)(?:\\r\\n|[${BREAKS}]|$)`, "gu");
const LEADING = new RegExp(`^[${BLANK}]*`, "u");
const NOT_BLANK = new RegExp(`[^${BLANK}]`, "u");
const WORD = "\\p{L}\\p{N}_";
const S = `[${SPACE}]`;
const ITEM = new RegExp(
  "^(?:" +
    `(?:[-*+•·▪◦●○■□►–—~#>]|\\(?\\p{Nd}{1,2}[.)]|\\(?[a-zA-Z]\\)|\\([ivx]{1,5}\\)|[IVX]{2,5}\\.)${S}` +
    `|[A-Z]\\.${S}+[A-Z]|[•▪◦●■►]|,?\\p{Nd}{1,2}\\.${S}*[A-Z])`,
  "u",
);
const HEADING = new RegExp(`^[A-Z][${WORD}/&'()., \\-]{0,50}?${S}?:(?!\\p{Nd})`, "u");
const ROW = new RegExp(`\\t|[^${SPACE}](?: {3,}[^${SPACE}][^\\n]*?){2}|\\|[^\\n]*\\|`, "u");
const OPEN_END = new RegExp(
  `(?:[,(\\[\\/&+=<>\\-]|(?<![${WORD}])(?:and|or|of|the|a|an|with|in|on|to|for|by|at|from|is|was|were|are|be|as` +
    "|that|which|who|has|have|had|his|her|no|not|Dr\\.|Mr\\.|Mrs\\.|Ms\\.|vs\\.?))$",
  "u",
);
const STOPPED = /[.!?。！？]['")\]”’]*$/u;
const FIRST_WORD = new RegExp(`^[^${SPACE}]*`, "u");

/**
 * Ranges of a text that no sentence crosses.
 * @param {string} text
 * @param {import("./characters.mjs").Places} places of the text
 * @returns {[number, number][]} offsets in units, ascending, disjoint, without blanks at their ends
 */
export function blocks(text, places) {
  const lines = linesOf(text, places);
  if (!lines.length) return [];
  const width = wrapWidth(lines);
  const found = [[lines[0].start, lines[0].end]];
  for (let i = 1; i < lines.length; i += 1) {
    if (goesOn(lines[i - 1], lines[i], width)) found.at(-1)[1] = lines[i].end;
    else found.push([lines[i].start, lines[i].end]);
  }
  return found;
}

/**
 * Lines that are not blank, without the blanks around them.
 * @typedef {{start: number, end: number, length: number, head: string, tail: string, afterGap: boolean}} Line
 * @param {string} text
 * @param {import("./characters.mjs").Places} places
 * @returns {Line[]}
 */
function linesOf(text, places) {
  const lines = [];
  let afterGap = false;
  for (const match of text.matchAll(LINE)) {
    const line = match[0];
    if (!line) continue;
    if (!NOT_BLANK.test(line)) {
      afterGap = true;
      continue;
    }
    const start = match.index + LEADING.exec(line)[0].length;
    const end = match.index + lengthWithoutBlanks(line);
    const head = text.slice(start, Math.min(end, places.step(start, EDGE)));
    const tail = text.slice(Math.max(start, places.step(end, -EDGE)), end);
    lines.push({ start, end, length: places.between(start, end), head, tail, afterGap });
    afterGap = false;
  }
  return lines;
}

/** Where the last character of a line that is no blank ends: every blank is one unit. */
function lengthWithoutBlanks(line) {
  let end = line.length;
  while (end && !NOT_BLANK.test(line[end - 1])) end -= 1;
  return end;
}

const isTitle = (line) =>
  line.length <= LONGEST_TITLE && isAllUpper(line.head) && !STOPPED.test(line.tail);
const isRow = (line) => ROW.test(line.head);

/** Length of the longest line that was wrapped, 0 where the text is not hard-wrapped. */
function wrapWidth(lines) {
  let longLines = 0;
  const wrapped = [];
  for (let i = 1; i < lines.length; i += 1) {
    const [above, below] = [lines[i - 1], lines[i]];
    if (below.afterGap || above.length < NARROWEST_WRAP || above.length > WIDEST_WRAP) continue;
    longLines += 1;
    if (isLower(firstOf(below.head)) && !STOPPED.test(above.tail) && !ITEM.test(below.head)) {
      wrapped.push(above.length);
    }
  }
  return wrapped.length > WRAPPED_SHARE * longLines
    ? wrapped.reduce((most, length) => Math.max(most, length), 0)
    : 0;
}

/** Whether the sentence at the end of one line may go on in the next. */
function goesOn(above, below, width) {
  if (below.afterGap || lastOf(above.tail) === ":") return false;
  if (ITEM.test(below.head) || HEADING.test(below.head)) return false;
  if (isRow(above) || isRow(below) || (isTitle(above) && !isTitle(below))) return false;
  if (OPEN_END.test(above.tail)) return above.length >= NARROWEST_WRAP / 2 || !width;
  const firstWord = Array.from(FIRST_WORD.exec(below.head)[0]).length;
  const wasFull = above.length + 1 + firstWord > width;
  if (isLower(firstOf(below.head))) return above.length >= NARROWEST_WRAP || (width > 0 && wasFull);
  return width > 0 && wasFull && above.length <= WIDEST_WRAP;
}
