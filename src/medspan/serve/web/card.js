/** The card with the details of a mention: beside the mark under the pointer or with the focus. */

import { fill, h, setStyle } from "./dom.js";
import { attributesOf, hue, percent, words } from "./labels.js";

const GAP = 4;
const LINGER = 160;

/** @typedef {{element: HTMLElement, show: (mark: Element, content: Node[]) => void, hide: () => void, hideSoon: () => void}} Card */

/** A card; there is one a view. @returns {Card} */
export function createCard(id) {
  const element = h("div", { id, class: "card", role: "tooltip", hidden: true });
  document.body.append(element);
  let beside = null;
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    element.hidden = true;
    beside = null;
  };
  // Some time to come from the mark to the card: a code in it can be selected.
  const hideSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(hide, LINGER);
  };
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", hideSoon);
  const show = (mark, content) => {
    clearTimeout(timer);
    fill(element, ...content);
    element.hidden = false;
    beside = mark;
    placeAt(element, mark);
  };
  const follow = () => beside && placeAt(element, beside);
  document.addEventListener("scroll", follow, { capture: true, passive: true });
  addEventListener("hashchange", hide);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  return { element, show, hide, hideSoon };
}

/** Below the first line of the mark, or above it where there is no room; never outside of the window. */
function placeAt(card, mark) {
  const target = mark.getClientRects()[0] ?? mark.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const isBelow = target.bottom + GAP + height < innerHeight || target.top < height + GAP;
  setStyle(card, {
    left: `${Math.max(GAP, Math.min(target.left, innerWidth - width - GAP))}px`,
    top: `${isBelow ? target.bottom + GAP : target.top - height - GAP}px`,
  });
}

/** What a card says of an entity. @returns {Node[]} */
export function entityDetails(entity, { text, relations = [], nameOf = (id) => id }) {
  const rows = [
    ["Score", percent(entity.score)],
    ...attributesOf(entity).map(({ name, value, score }) => [
      words(name),
      score === undefined || score === null ? words(value) : `${words(value)} (${percent(score)})`,
    ]),
    ...(entity.concepts ?? []).map((concept, rank) => [rank ? "" : "Codes", conceptLine(concept)]),
    ...relations.map((one) => [words(one.label), nameOf(one.head === entity.id ? one.tail : one.head)]),
    ["Characters", `${entity.start}–${entity.end}`],
  ].filter(([name, value]) => name !== "Score" || value !== "–");
  return [
    h(
      "p",
      { class: "card-title" },
      h("span", { class: "dot", style: { "--h": hue(entity.label) } }),
      h("b", {}, words(entity.label)),
    ),
    h("p", { class: "card-text" }, text),
    h(
      "dl",
      {},
      rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  ];
}

function conceptLine({ id, name, score }) {
  const sure = score === undefined || score === null ? "" : ` ${percent(score)}`;
  return h(
    "span",
    {},
    h("code", {}, id),
    name ? ` ${name}` : "",
    sure && h("span", { class: "quiet" }, sure),
  );
}
