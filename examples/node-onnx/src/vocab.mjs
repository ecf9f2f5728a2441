/** Words and characters → ids: medspan.features.vocab. */

import { normalize } from "./normalize.mjs";

const UNKNOWN_WORD = 1;
const UNKNOWN = { lower: 1, upper: 2, digit: 3, mark: 4, other: 5 };
const FIRST_WORD = 2;
const FIRST_CHARACTER = 6;

/** The vocabulary of a model. */
export class Vocab {
  /** @param {{words: string[], characters: string[]}} parsed what `vocab.json` holds */
  constructor({ words, characters }) {
    this.words = new Map(words.map((word, index) => [word, index + FIRST_WORD]));
    this.characters = new Map(characters.map((c, index) => [c, index + FIRST_CHARACTER]));
  }

  /** Id of a word as it stands in the text. @param {string} form @returns {number} */
  wordId(form) {
    return this.words.get(normalize(form)) ?? UNKNOWN_WORD;
  }

  /**
   * Id of one character; an unknown one falls back to its base letter, then to a class.
   * @param {string} character
   * @returns {number}
   */
  charId(character) {
    const known = this.characters.get(character);
    if (known !== undefined) return known;
    const [base] = character.normalize("NFKD");
    return this.characters.get(base) ?? unknownClass(character);
  }
}

/** @param {string} character @returns {number} */
function unknownClass(character) {
  if (/\p{Lu}/u.test(character)) return UNKNOWN.upper;
  if (/\p{L}/u.test(character)) return UNKNOWN.lower;
  if (/\p{N}/u.test(character)) return UNKNOWN.digit;
  if (/[\p{P}\p{S}]/u.test(character)) return UNKNOWN.mark;
  return UNKNOWN.other;
}
