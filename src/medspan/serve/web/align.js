/** Two texts side by side: pure functions that map heights of one to heights of the other. */

/**
 * A function that maps a height in one text to the height in the other, straight between known pairs.
 * @param {[number, number][]} pairs heights of the same place in both, ascending in both
 * @returns {(height: number) => number}
 */
export function mapped(pairs) {
  return (height) => {
    const after = pairs.findIndex(([from]) => from >= height);
    if (after === 0) return pairs[0][1];
    if (after < 0) return pairs.length ? pairs.at(-1)[1] : height;
    const [[a, b], [c, d]] = [pairs[after - 1], pairs[after]];
    return c === a ? d : b + ((height - a) / (c - a)) * (d - b);
  };
}

/**
 * What was replaced, as entities of the given and of the new text. What was taken out without a trace has no
 * mark in the new text.
 * @param {{label: string, start: number, end: number, new_start: number, new_end: number}[]} changes
 */
export function marksOf(changes) {
  const given = changes.map(({ label, start, end }, index) => ({
    id: `c${index}`,
    label,
    start,
    end,
    change: index,
  }));
  const renewed = changes
    .map(({ label, new_start: start, new_end: end }, index) => ({
      id: `c${index}`,
      label,
      start,
      end,
      change: index,
    }))
    .filter(({ start, end }) => start < end);
  return { given, renewed };
}
