/** How labels and assertions look: the same hues as in the HTML that medspan writes. */

const HUES = { disease: 8, chemical: 210, gene: 130, species: 42, anatomy: 285, cell: 175 };
const PLAIN = { assertion: "present", temporality: "current" };

/** How an assertion is drawn; the names are classes of marks.css, in the order of the legend. */
export const ASSERTIONS = [
  { value: "absent", look: "absent", words: "absent" },
  { value: "possible", look: "possible", words: "possible" },
  { value: "hypothetical", look: "hypothetical", words: "hypothetical" },
  { value: "conditional", look: "hypothetical", words: "conditional" },
  { value: "associated_with_someone_else", look: "other", words: "someone else’s" },
];
const SPOKEN = new Map(ASSERTIONS.map((one) => [one.value, one.words]));
const LOOKS = new Map(ASSERTIONS.map((one) => [one.value, one.look]));

/** The hue of a label in degrees (CRC-32 of its UTF-8, as in medspan.formats.html). @param {string} label */
export function hue(label) {
  return HUES[label.toLowerCase()] ?? crc32(new TextEncoder().encode(label)) % 360;
}

/** @param {Uint8Array} bytes */
export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Attributes as a list, whether they came as a list or as a map of names to values. */
export function attributesOf(entity) {
  const given = entity.attributes ?? [];
  if (Array.isArray(given)) return given;
  const scores = entity.attribute_scores ?? {};
  return Object.entries(given).map(([name, value]) => ({ name, value, score: scores[name] }));
}

/** Values of assertion and temporality that are out of the ordinary, as words. */
export function unusual(entity) {
  return attributesOf(entity)
    .filter(({ name, value }) => name in PLAIN && value !== PLAIN[name])
    .map(({ value }) => SPOKEN.get(value) ?? words(value));
}

/** The class that shows an entity's assertion; empty where it is present. */
export function lookOf(entity) {
  const found = attributesOf(entity).find(({ name }) => name === "assertion");
  return found ? (LOOKS.get(found.value) ?? "") : "";
}

/** @param {string} name a name with underscores */
export const words = (name) => name.replaceAll("_", " ");

/** @param {number | undefined} score */
export const percent = (score) =>
  score === undefined || score === null ? "–" : `${(score * 100).toFixed(1)} %`;
