/** Relations: arcs over the text for the eye, a table for everybody. */

import { h, setStyle, svg, table } from "./dom.js";
import { hue, percent, words } from "./labels.js";

const FLATTEST = 9;
const STEEPEST = 26;
/** About so large is the name of a relation. */
const NAME = { width: 56, height: 11 };

/**
 * Draw an arc for each relation into an SVG that lies over the text.
 * @param {SVGElement} layer
 * @param {import("./textview.js").TextView} view
 * @param {{id: string, label: string, head: string, tail: string}[]} relations whose ends are both drawn
 */
export function drawArcs(layer, view, relations) {
  const origin = view.root.getBoundingClientRect();
  // Where a mark is takes the browser long in a long text: only those with a relation are asked for.
  const ends = new Set(relations.flatMap(({ head, tail }) => [head, tail]));
  const places = new Map(
    view.entities.flatMap(({ id }, index) =>
      ends.has(id) ? [[id, view.markOf(index)?.getClientRects()[0]]] : [],
    ),
  );
  setStyle(layer, { height: `${view.root.scrollHeight}px` });
  const drawn = relations.filter(({ head, tail }) => places.get(head) && places.get(tail));
  const names = new Map(drawn.map(({ head }) => [head, []]));
  layer.replaceChildren(
    ...drawn.map((relation) => {
      const line = curve(places.get(relation.head), places.get(relation.tail), origin);
      return arc(relation, view, { ...line, y: freeHeight(names.get(relation.head), line) });
    }),
  );
}

/** Where a name does not lie on another of the same head (they are shown together): higher, if need be. */
function freeHeight(taken, { x, y }) {
  let free = y;
  while (taken.some((one) => Math.abs(one.x - x) < NAME.width && Math.abs(one.y - free) < NAME.height))
    free -= NAME.height;
  taken.push({ x, y: free });
  return free;
}

function arc(relation, view, { path, x, y }) {
  const { label } = view.entities.find(({ id }) => id === relation.head);
  return svg(
    "g",
    {
      class: "arc",
      style: { "--h": hue(label) },
      "data-head": relation.head,
      "data-tail": relation.tail,
      "data-id": relation.id,
    },
    svg("path", { d: path }),
    svg("text", { x, y, "text-anchor": "middle" }, words(relation.label)),
  );
}

/** On one line an arch from top to top; else from the bottom of the upper to the top of the lower. */
function curve(head, tail, origin) {
  const middle = (rect) => rect.left + rect.width / 2 - origin.left;
  const [a, b] = [middle(head), middle(tail)];
  if (Math.abs(head.top - tail.top) < head.height / 2 + 4) {
    const top = Math.min(head.top, tail.top) - origin.top;
    const lift = Math.min(STEEPEST, FLATTEST + Math.abs(a - b) / 14);
    return {
      path: `M${a} ${head.top - origin.top}C${a} ${top - lift} ${b} ${top - lift} ${b} ${tail.top - origin.top}`,
      x: b,
      y: top - 5,
    };
  }
  const [upper, lower] = head.top < tail.top ? [head, tail] : [tail, head];
  const [from, to] = [middle(upper), middle(lower)];
  const [y1, y2] = [upper.bottom - origin.top, lower.top - origin.top];
  const pull = Math.max(14, (y2 - y1) / 2);
  return {
    path: `M${from} ${y1}C${from} ${y1 + pull} ${to} ${y2 - pull} ${to} ${y2}`,
    x: b,
    y: tail.top - origin.top - 5,
  };
}

/** Bring out the arcs of one entity, or none. */
export function lightArcs(layer, id) {
  for (const arcDrawn of layer.children) {
    arcDrawn.classList.toggle(
      "lit",
      id !== null && (arcDrawn.dataset.head === id || arcDrawn.dataset.tail === id),
    );
  }
}

/** The relations as a table whose mentions are buttons that go to the text. */
export function relationTable(relations, entities, textOf, goTo) {
  const byId = new Map(entities.map((entity, index) => [entity.id, { entity, index }]));
  const mention = (id) => {
    const { entity, index } = byId.get(id);
    return h(
      "button",
      { type: "button", class: "mention", style: { "--h": hue(entity.label) }, onclick: () => goTo(index) },
      h("span", { class: "dot" }),
      textOf(entity),
      h("small", {}, words(entity.label)),
    );
  };
  const ordered = relations.toSorted((a, b) => byId.get(a.head).entity.start - byId.get(b.head).entity.start);
  const rows = ordered.map((one) =>
    h(
      "tr",
      {},
      h("td", {}, mention(one.head)),
      h("td", {}, words(one.label)),
      h("td", {}, mention(one.tail)),
      h("td", { class: "number" }, percent(one.score)),
    ),
  );
  return table("Relations", [["From"], ["Relation"], ["To"], ["Score", "number"]], rows);
}
