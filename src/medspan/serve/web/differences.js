/** How two sets of entities of one text differ: pure. */

import { spansOf } from "./layout.js";

/** The kinds, in the order in which they are shown. */
export const KINDS = [
  { kind: "same", words: "the same" },
  { kind: "label", words: "other label" },
  { kind: "border", words: "other border" },
  { kind: "a", words: "only A" },
  { kind: "b", words: "only B" },
];

/**
 * Pairs of entities, each of one kind. An entity is in one pair: first those that are the same, then those with
 * the same characters and another label, then those with the same label that overlap (most shared characters
 * first); what is left is only A's or only B's.
 * @returns {{kind: string, a?: any, b?: any}[]} in the order of the text
 */
export function differences(ofA, ofB) {
  const free = { a: new Set(ofA), b: new Set(ofB) };
  const pairs = [
    ...taken(free, "same", (a, b) => (isSamePlace(a, b) && a.label === b.label ? 1 : 0)),
    ...taken(free, "label", (a, b) => (isSamePlace(a, b) ? 1 : 0)),
    ...taken(free, "border", (a, b) => (a.label === b.label ? shared(a, b) : 0)),
    ...[...free.a].map((a) => ({ kind: "a", a })),
    ...[...free.b].map((b) => ({ kind: "b", b })),
  ];
  const start = ({ a, b }) => Math.min(a?.start ?? Infinity, b?.start ?? Infinity);
  return pairs.sort((one, two) => start(one) - start(two));
}

/** Take the best pairs out of what is free; of equal ones those that come first. */
function taken(free, kind, fit) {
  const offers = overlapping([...free.a], [...free.b])
    .map(({ a, b }) => ({ kind, a, b, fit: fit(a, b) }))
    .filter((one) => one.fit > 0);
  offers.sort((one, two) => two.fit - one.fit);
  return offers
    .filter(({ a, b }) => free.a.has(a) && free.b.has(b) && free.a.delete(a) && free.b.delete(b))
    .map(({ a, b }) => ({ kind, a, b }));
}

/** The pairs that share characters: of a long text these are few of all there are. */
function overlapping(ofA, ofB) {
  const byStart = (one, two) => one.start - two.start || one.end - two.end;
  const coming = ofB.toSorted(byStart);
  const pairs = [];
  let open = [];
  let next = 0;
  for (const a of ofA.toSorted(byStart)) {
    while (next < coming.length && coming[next].start < a.end) open.push(coming[next++]);
    open = open.filter((b) => b.end > a.start);
    for (const b of open) if (b.start < a.end) pairs.push({ a, b });
  }
  return pairs;
}

const isSamePlace = (a, b) => JSON.stringify(spansOf(a)) === JSON.stringify(spansOf(b));

function shared(a, b) {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}

/** How many pairs there are of each kind. */
export function countsOf(pairs) {
  const counts = Object.fromEntries(KINDS.map(({ kind }) => [kind, 0]));
  for (const { kind } of pairs) counts[kind] += 1;
  return counts;
}
