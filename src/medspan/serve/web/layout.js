/**
 * Where marks begin and end: pure functions on offsets. An offset is one of a JavaScript string (UTF-16 unit).
 * @typedef {{start: number, end: number, index: number, isNew: boolean, isLast: boolean}} Piece
 * @typedef {{kind: "text", start: number, end: number}} TextNode
 * @typedef {{kind: "mark", piece: Piece, children: LayoutNode[]}} MarkNode
 * @typedef {{kind: "band", label: string, isBlock: boolean, children: LayoutNode[]}} BandNode
 * @typedef {TextNode | MarkNode | BandNode} LayoutNode
 */

const DEEPEST = 6;

/** The spans of an entity; one that is whole has one. @returns {[number, number][]} */
export const spansOf = (entity) => entity.spans ?? [[entity.start, entity.end]];

/**
 * How many marks each mark must reach around, so that the borders of nested ones do not meet.
 * @param {{start: number, end: number}[]} entities
 * @returns {number[]}
 */
export function levelsOf(entities) {
  const order = entities.map((_, index) => index);
  order.sort((a, b) => entities[a].start - entities[b].start || entities[b].end - entities[a].end || a - b);
  const levels = entities.map(() => 0);
  let active = [];
  for (const index of order) {
    active = active.filter((other) => entities[other].end > entities[index].start);
    active.push(index);
    active.toReversed().forEach((other, height) => {
      levels[other] = Math.min(Math.max(levels[other], height), DEEPEST);
    });
  }
  return levels;
}

/** Every span of every entity, outer ones first. @returns {Piece[]} */
export function piecesOf(entities) {
  const pieces = entities.flatMap((entity, index) =>
    spansOf(entity).map(([start, end]) => ({ start, end, index, isNew: true, isLast: true })),
  );
  return pieces.sort((a, b) => a.start - b.start || b.end - a.end || a.index - b.index);
}

/**
 * The part of a text between two offsets as texts and nested marks. What crosses a mark that ends is closed
 * with it and opened again (`isLast` false, then `isNew` false).
 * @param {Piece[]} pieces of the whole text, outer ones first
 * @returns {LayoutNode[]}
 */
export function nested(pieces, start, end) {
  if (start >= end) return [];
  const waiting = clipped(pieces, start, end).toReversed();
  const root = { kind: "root", piece: { end }, children: [] };
  const stack = [root];
  const plain = (from, to) => {
    if (from < to) stack.at(-1).children.push({ kind: "text", start: from, end: to });
  };
  let at = start;
  while (waiting.length || stack.length > 1) {
    const next = Math.min(...stack.map((node) => node.piece.end));
    if (waiting.length && waiting.at(-1).start < next) {
      const piece = waiting.pop();
      plain(at, piece.start);
      at = piece.start;
      open(stack, piece);
    } else {
      plain(at, next);
      at = next;
      close(stack, next);
    }
  }
  plain(at, end);
  return root.children;
}

function open(stack, piece) {
  const node = { kind: "mark", piece: { ...piece }, children: [] };
  stack.at(-1).children.push(node);
  stack.push(node);
}

/** Close the marks that end here, and those above them for as long as that takes. */
function close(stack, at) {
  const lowest = stack.findIndex((node, place) => place > 0 && node.piece.end === at);
  for (const node of stack.splice(lowest)) {
    if (node.piece.end > at) {
      const { piece } = node;
      node.piece = { ...piece, end: at, isLast: false };
      open(stack, { ...piece, start: at, isNew: false });
    }
  }
}

/** The pieces inside of a range; those that cross its borders are cut there. */
function clipped(pieces, start, end) {
  return pieces
    .filter((piece) => piece.start < end && piece.end > start)
    .map((piece) => ({
      ...piece,
      start: Math.max(piece.start, start),
      end: Math.min(piece.end, end),
      isNew: piece.isNew && piece.start >= start,
      isLast: piece.isLast && piece.end <= end,
    }))
    .sort((a, b) => a.start - b.start || b.end - a.end || a.index - b.index);
}

/**
 * A whole text: bands of sections, and marks in and between them. Sections that overlap an earlier one are
 * left out. A band is a block where it begins and ends at the border of a line.
 * @param {string} text
 * @param {{start: number, end: number}[]} entities
 * @param {{label: string, start: number, end: number}[]} [sections]
 * @returns {LayoutNode[]}
 */
export function layoutOf(text, entities, sections = []) {
  const pieces = piecesOf(entities);
  const nodes = [];
  let at = 0;
  for (const section of bandsOf(text, sections)) {
    nodes.push(...nested(pieces, at, section.start));
    nodes.push({
      kind: "band",
      label: section.label,
      isBlock: section.isBlock,
      children: nested(pieces, section.start, section.end),
    });
    at = section.end;
  }
  nodes.push(...nested(pieces, at, text.length));
  return nodes;
}

function bandsOf(text, sections) {
  const bands = [];
  let at = 0;
  for (const section of sections.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (section.start < at || section.end > text.length) continue;
    // Blanks between sections belong to the earlier one, so that no empty line stands between bands.
    const tail = /^\s*/.exec(text.slice(section.end))[0];
    const end = section.end + tail.lastIndexOf("\n") + 1;
    bands.push({ ...section, end, isBlock: isLineStart(text, section.start) && isLineStart(text, end) });
    at = end;
  }
  return bands;
}

const isLineStart = (text, offset) => offset === 0 || offset >= text.length || text[offset - 1] === "\n";
