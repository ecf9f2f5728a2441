/** Splits a text into sentences: the rules of medspan.text.sentences. */

import {
  ALNUM,
  BLANK,
  EXTENDING,
  SPACE,
  TABLES,
  firstOf,
  isAllUpper,
  isBlank,
  isDigit,
  isLower,
  isUpper,
  lastOf,
} from "./characters.mjs";
import { blocks } from "./lines.mjs";

const REACH = 40;
const BRACKET_REACH = 120;
const listed = (name) => new Set(TABLES[name]);
const NEVER_FINAL = listed("never_final");
const NUMBERED = listed("numbered");
const CAPITAL_TITLES = listed("capital_titles");
const SELDOM_FINAL = listed("seldom_final");
const OFTEN_FINAL = listed("often_final");
const DOSE_WORDS = listed("dose_words");
const OPENERS = listed("openers");
const LETTERED = listed("lettered");

const B = `[${BLANK}]`;
const D = "\\p{Nd}";
const CLOSERS = "'\")\\]}”’»›";
// JavaScript has no possessive repeats; only in the last branch would giving back letters match more, so
// there a look-ahead takes them at once.
const STOP = new RegExp(
  `[.!?…](?<![.!?…][.!?…])[.!?…]*[${CLOSERS}]*` +
    `(?:(?<=[a-z]{3}\\.)(?:${D}{1,3}(?:[,–\\-]${D}{1,3}){0,9}|\\[[${D},;${SPACE}–\\-]{1,30}\\]))?` +
    `(?:(?=${B}|$)|(?<=[a-z]{4}\\.)(?=[A-Z][a-z]{2}))` +
    `|${B}(?<=[a-z0-9)\\]]${B})(?=${B}{0,2}(?:${TABLES.headings})(?: ?[A-Z\\/&]){0,40} ?:)` +
    `|[।؟۔](?<![।؟۔][।؟۔])[।؟۔]*[${CLOSERS}]*(?=${B}|$)` +
    `|[。！？｡](?<![。！？｡][。！？｡])(?=(?<rest>[。！？｡]*[${CLOSERS}」』）]*))\\k<rest>(?![${EXTENDING}])`,
  "gu",
);
const SKIP = new RegExp(`${B}*`, "uy");
const BEFORE = new RegExp(`([^${SPACE}(\\[{"“,;:\\/]*?)[${SPACE}]?$`, "u");
const ENUMERATOR = new RegExp(`^[(\\[,]?(?:${D}{1,3}(?:\\.${D}{1,2}){0,3}|[A-Za-z]|[IVXivx]{1,5})[.)]*$`, "u");
const ABBREVIATED = /^(?:[A-Za-z]\.)+[A-Za-z]$/u;
const OPEN_NUMBER = new RegExp(
  `(?:[<>=~≤≥±(–\\-][${SPACE}]?|(?<![${ALNUM}_.])0|${D}[pq]${D}{1,2})$`,
  "u",
);
const END_OF_NUMBER = new RegExp(
  `^(?:0${D}|${D}+(?:[\\-–]${D}+)?(?:[)\\]};%,]|\\.[${SPACE}]?${D}|[${SPACE}]?(?:%|percent|to ${D})))`,
  "u",
);
const NAME_PARTICLES = new Set(["von", "van"]);
const WORD_AFTER = new RegExp(`^[(\\["“'‘]*([${ALNUM}]+(?:[\\-'][${ALNUM}]+)*)?`, "u");
const LINE_BREAK = /[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/u;
const TRAILING_SPACE = new RegExp(`[${SPACE}]+$`, "u");
const SPACES = new RegExp(`[${SPACE}]+`, "u");

/**
 * The sentences of a text.
 * @param {string} text
 * @param {import("./characters.mjs").Places} places of the text
 * @returns {[number, number][]} offsets in units, ascending and disjoint
 */
export function splitSentences(text, places) {
  const sentences = [];
  for (const [start, end] of blocks(text, places)) splitBlock(text, places, start, end, sentences);
  return sentences;
}

/** Append the sentences of one block. */
function splitBlock(text, places, start, end, sentences) {
  const block = text.slice(0, end); // what is behind the block is not to be seen
  let first = start;
  STOP.lastIndex = start;
  for (let found = STOP.exec(block); found; found = STOP.exec(block)) {
    const stop = { start: found.index, end: found.index + found[0].length, mark: firstOf(found[0]) };
    const next = STOP.lastIndex;
    if (stop.end === end) break;
    SKIP.lastIndex = stop.end;
    SKIP.exec(block);
    const after = SKIP.lastIndex;
    if (endsSentence(block, places, first, stop, after)) {
      sentences.push([first, isBlank(stop.mark) ? stop.start : stop.end]);
      first = after;
    }
    STOP.lastIndex = next;
  }
  sentences.push([first, end]);
}

/** Whether the sentence that began at `first` ends at this stop. */
function endsSentence(block, places, first, stop, after) {
  if (![".", "!", "?", "…"].includes(stop.mark)) return true; // of another script, or a heading follows
  const head = block.slice(after, Math.min(block.length, places.step(after, REACH)));
  const tail = block.slice(Math.max(first, places.step(stop.start, -REACH)), stop.start);
  const isDot = stop.mark === ".";
  const isPlain = stop.end - stop.start === 1;
  if (",;:)]}%".includes(head[0]) || (isDot && isPlain && goesOnByNumber(tail, head))) return false;
  if (isDot && places.between(first, stop.start) < REACH && ENUMERATOR.test(tail)) return false;
  let word = WORD_AFTER.exec(head)?.[1] ?? "";
  if (Array.from(word).length === 1 && isUpper(word) && Array.from(head)[1] === ".") word = ""; // an initial
  if (isLower(firstOf(word)) && !(isDot && isPlain && isMixed(word))) return false;
  const opens = isUpper(firstOf(word)) && OPENERS.has(word.toLowerCase());
  if (!opens && isInBrackets(block, places, first, stop.start)) return false;
  return !isDot || dotEnds(tail, word, LINE_BREAK.test(block.slice(stop.end, after)));
}

/** Whether a bracket opened shortly before a place, in the same sentence, closes shortly after it. */
function isInBrackets(block, places, first, place) {
  const before = block.slice(Math.max(first, places.step(place, -BRACKET_REACH)), place);
  const behind = block.slice(place, Math.min(block.length, places.step(place, BRACKET_REACH)));
  return ["()", "[]"].some(([opening, closing]) => {
    const opened = before.lastIndexOf(opening);
    const closes = behind.indexOf(closing);
    const isOpen = opened >= 0 && before.indexOf(closing, opened) < 0;
    return isOpen && closes >= 0 && !behind.slice(0, closes).includes(opening);
  });
}

/** Whether the dot stands in a number that was pulled apart, as in `(P = 0. 05)`. */
function goesOnByNumber(tail, head) {
  if (!isDigit(firstOf(head))) return false;
  return OPEN_NUMBER.test(tail) || (isDigit(lastOf(tail)) && END_OF_NUMBER.test(head));
}

/** Whether a dot between `tail` and a word that is not plain lower case ends a sentence. */
function dotEnds(tail, word, onNewLine) {
  const before = BEFORE.exec(tail)?.[1] ?? "";
  const folded = before.toLowerCase();
  const isCapital = isUpper(firstOf(word));
  const opens = isCapital && OPENERS.has(word.toLowerCase());
  if (Array.from(before).length === 1 && isUpper(before)) {
    const bare = Array.from(tail.replace(TRAILING_SPACE, "")).slice(0, -1).join("");
    const lead = bare.split(SPACES).filter(Boolean).at(-1);
    return opens || (word !== "" && lead !== undefined && LETTERED.has(lead.toLowerCase()));
  }
  if (isAllUpper(before) && !before.includes(".") && !CAPITAL_TITLES.has(folded)) return true; // an acronym
  if (NEVER_FINAL.has(folded) || NEVER_FINAL.has(before)) return false;
  if (NUMBERED.has(folded) && isDigit(firstOf(word))) return false;
  if (OFTEN_FINAL.has(folded)) return isCapital && !DOSE_WORDS.has(word.toLowerCase());
  if (SELDOM_FINAL.has(folded) || ABBREVIATED.test(before)) return opens || onNewLine;
  return true;
}

/** Whether a word in lower case may open a sentence: `mRNA`, `p53`, `von Hippel`. */
function isMixed(word) {
  return NAME_PARTICLES.has(word) || Array.from(word).some((c) => isUpper(c) || isDigit(c));
}
