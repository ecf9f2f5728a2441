/**
 * What Python says of characters, for JavaScript: classes of regular expressions, and offsets in code points.
 *
 * Strings of JavaScript count UTF-16 units, medspan counts Unicode code points; they differ behind characters
 * such as emoji. Inside this example offsets are units; `Places` counts code points where a rule or a reader
 * asks for them.
 */

import { readFileSync } from "node:fs";

/** The tables of medspan's text rules, written by tools/node_tables.py. */
export const TABLES = JSON.parse(readFileSync(new URL("../tables.json", import.meta.url), "utf8"));

const escaped = (characters) =>
  Array.from(characters, (c) => `\\u{${c.codePointAt(0).toString(16)}}`).join("");

/** Inside of a class: what Python's `\s` and `str.isspace` hold; JavaScript's `\s` holds others. */
export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/** Inside of a class: what separates words and belongs to none. */
export const BLANK = SPACE + escaped(TABLES.invisible_blanks);

/** Inside of a class: letters and digits, Python's `[^\W_]`. */
export const ALNUM = "\\p{L}\\p{N}";

/** Inside of a class: combining marks and joiners, which extend the word they follow. */
export const EXTENDING = TABLES.marks
  .map((range) => range.split("-").map((code) => `\\u{${code}}`).join("-"))
  .join("");

const one = (inside) => new RegExp(`^[${inside}]$`, "u");
const UPPER = /^\p{Uppercase}$/u;
const TITLE = /^\p{Lt}$/u;
const LOWER = /^\p{Lowercase}$/u;
const LETTER = /^\p{L}$/u;
const DIGIT = one(`\\p{Nd}${escaped(TABLES.digits_beside_decimals)}`);
const NUMERIC = one(`\\p{N}${escaped(TABLES.numeric_letters)}`);
const BLANK_CHARACTER = one(BLANK);

/** Each takes one character, as a string. */
export const isUpper = (c) => UPPER.test(c);
export const isTitle = (c) => TITLE.test(c);
export const isLower = (c) => LOWER.test(c);
export const isLetter = (c) => LETTER.test(c);
export const isDigit = (c) => DIGIT.test(c);
export const isNumeric = (c) => NUMERIC.test(c);
export const isBlank = (c) => BLANK_CHARACTER.test(c);

/**
 * Python's `str.isupper` of a whole string: no small letter, and a capital at least.
 * @param {string} text
 * @returns {boolean}
 */
export function isAllUpper(text) {
  let found = false;
  for (const c of text) {
    if (isLower(c) || isTitle(c)) return false;
    found ||= isUpper(c);
  }
  return found;
}

/**
 * The first character of a string, or "".
 * @param {string} text
 * @returns {string}
 */
export function firstOf(text) {
  const code = text.codePointAt(0);
  return code === undefined ? "" : String.fromCodePoint(code);
}

/**
 * The last character of a string, or "".
 * @param {string} text
 * @returns {string}
 */
export function lastOf(text) {
  const found = /.$/su.exec(text);
  return found ? found[0] : "";
}

/** Units and code points of one text. */
export class Places {
  /** @param {string} text */
  constructor(text) {
    this.units = text.length;
    this.isPlain = !/[\ud800-\udfff]/.test(text);
    if (this.isPlain) return;
    const starts = [];
    this.pointOf = new Int32Array(text.length + 1);
    let unit = 0;
    for (const c of text) {
      this.pointOf.fill(starts.length, unit, unit + c.length);
      starts.push(unit);
      unit += c.length;
    }
    this.pointOf[unit] = starts.length;
    starts.push(unit);
    this.unitOf = Int32Array.from(starts);
  }

  /**
   * The offset in code points of an offset in units.
   * @param {number} unit
   * @returns {number}
   */
  points(unit) {
    return this.isPlain ? unit : this.pointOf[unit];
  }

  /**
   * How many code points stand between two offsets in units.
   * @param {number} start
   * @param {number} end
   * @returns {number}
   */
  between(start, end) {
    return this.points(end) - this.points(start);
  }

  /**
   * The offset in units that is some code points away, at most at an end of the text.
   * @param {number} unit
   * @param {number} count negative for backwards
   * @returns {number}
   */
  step(unit, count) {
    if (this.isPlain) return Math.min(Math.max(unit + count, 0), this.units);
    return this.unitOf[Math.min(Math.max(this.pointOf[unit] + count, 0), this.unitOf.length - 1)];
  }
}
