/** Which of the entities found in a text stay: the end of medspan.model.tagger. */

/**
 * Offsets in code points.
 * @typedef {{start: number, end: number, label: string, score: number}} Found
 */

const compare = (a, b) => (a < b ? -1 : Number(a > b));
const inTextOrder = (a, b) =>
  a.start - b.start || a.end - b.end || compare(a.label, b.label) || a.score - b.score;

/**
 * Entities in text order; of overlapping ones of the same label, as at a seam of windows, the first.
 * @param {Found[]} found
 * @param {"all" | "longest" | "best"} policy `longest` and `best` also keep one of overlapping entities of
 *   different labels
 * @returns {Found[]}
 */
export function resolveOverlaps(found, policy) {
  const lastEnd = new Map();
  const disjoint = [...found].sort(inTextOrder).filter((entity) => {
    if (entity.start < (lastEnd.get(entity.label) ?? 0)) return false;
    lastEnd.set(entity.label, entity.end);
    return true;
  });
  return policy === "all" ? disjoint : oneOfEach(disjoint, policy);
}

/** @param {Found[]} entities @param {"longest" | "best"} policy @returns {Found[]} */
function oneOfEach(entities, policy) {
  const longer = (a, b) => b.end - b.start - (a.end - a.start);
  const surer = (a, b) => b.score - a.score;
  const rank =
    policy === "longest"
      ? (a, b) => longer(a, b) || surer(a, b) || a.start - b.start
      : (a, b) => surer(a, b) || longer(a, b) || a.start - b.start;
  const kept = [];
  for (const entity of [...entities].sort(rank)) {
    if (kept.every((other) => entity.end <= other.start || entity.start >= other.end)) kept.push(entity);
  }
  return kept.sort(inTextOrder);
}

/** A probability as medspan writes it. @param {number} score @returns {number} */
export const rounded = (score) => Number(score.toFixed(4));
