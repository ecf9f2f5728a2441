/** Dictionary keys and casing classes of words: the rules of medspan.text.normalize. */

import { TABLES, isLetter, isLower, isNumeric, isTitle, isUpper } from "./characters.mjs";

const LONGEST_KEY = 100;
const MOST_ROUNDS = 4;
const UNIFIED = new Map([
  ...Array.from(TABLES.dashes, (c) => [c, "-"]),
  ...Array.from(TABLES.single_quotes, (c) => [c, "'"]),
  ...Array.from(TABLES.double_quotes, (c) => [c, '"']),
  ...Array.from(TABLES.joiners, (c) => [c, ""]),
  [" ", ""],
  ["\u2044", "/"],
]);
const DIGIT = /\p{Nd}/gu;
const REPEAT = /([^\p{Nd}])\1{3,}/gu;
const GREEK = /^[\u0370-\u03ff\u1f00-\u1fff]$/u;
const MARK = /^[\p{P}\p{S}]/u;
const SHAPES = new Map(TABLES.shape_classes.map((name, index) => [name, index]));

const DOTLESS_I = 0x131;
const CHEROKEE = { first: 0x13a0, last: 0x13f5, smallFirst: 0x13f8, smallLast: 0x13fd };
const SMALL_CHEROKEE = { first: 0xab70, last: 0xabbf };

/**
 * The dictionary key of a word.
 * @param {string} word
 * @returns {string} at most 100 characters; empty only for words made of joiners
 */
export function normalize(word) {
  let key = fold(cut(word, 4 * LONGEST_KEY));
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const again = fold(key);
    if (again === key) break;
    key = again;
  }
  return key;
}

/** @param {string} word @returns {string} */
function fold(word) {
  const composed = casefold(unify(word).normalize("NFKC")).normalize("NFKC");
  const plain = unify(composed).replace(DIGIT, "0").replace(REPEAT, "$1$1$1");
  return cut(plain, LONGEST_KEY);
}

/** @param {string} word @returns {string} */
function unify(word) {
  return Array.from(word, (c) => UNIFIED.get(c) ?? c).join("");
}

/**
 * Unicode's full case folding, which JavaScript lacks: small, capital, small again gives it for every
 * character but the dotless i and the letters of Cherokee, which fold to capitals.
 * @param {string} word
 * @returns {string}
 */
export function casefold(word) {
  return Array.from(word, foldCharacter).join("");
}

/** @param {string} c @returns {string} */
function foldCharacter(c) {
  const code = c.codePointAt(0);
  if (code === DOTLESS_I || (code >= CHEROKEE.first && code <= CHEROKEE.last)) return c;
  if (code >= CHEROKEE.smallFirst && code <= CHEROKEE.smallLast) return String.fromCodePoint(code - 8);
  if (code >= SMALL_CHEROKEE.first && code <= SMALL_CHEROKEE.last) {
    return String.fromCodePoint(code - SMALL_CHEROKEE.first + CHEROKEE.first);
  }
  return c.toLowerCase().toUpperCase().toLowerCase();
}

/**
 * The first characters of a string; a character is a code point.
 * @param {string} text
 * @param {number} most
 * @returns {string}
 */
function cut(text, most) {
  return text.length <= most ? text : Array.from(text).slice(0, most).join("");
}

/**
 * The casing class of a word, as a model stores it.
 * @param {string} word
 * @returns {number}
 */
export function wordShape(word) {
  return SHAPES.get(shapeName(word));
}

/** @param {string} word @returns {string} */
function shapeName(word) {
  const characters = Array.from(word);
  const letters = characters.filter(isLetter);
  const hasDigit = characters.some(isNumeric);
  if (!letters.length) return hasDigit ? "digits" : MARK.test(word) ? "punctuation" : "other";
  if (letters.every((c) => GREEK.test(c))) return "greek";
  const name = caseName(letters);
  if (!hasDigit) return name;
  const withDigits = { lower: "lower_digits", upper: "upper_digits", single_upper: "upper_digits" };
  return withDigits[name] ?? "mixed_digits";
}

/** @param {string[]} letters @returns {string} */
function caseName(letters) {
  const uppers = letters.map((c) => isUpper(c) || isTitle(c));
  if (!uppers.includes(true)) return letters.some(isLower) ? "lower" : "uncased";
  if (!uppers.includes(false)) return letters.length > 1 ? "upper" : "single_upper";
  return uppers[0] && !uppers.includes(true, 1) ? "title" : "mixed";
}
