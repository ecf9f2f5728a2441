/** A text with its marks in the page: drawn from a layout, walked with the arrow keys, mapped back to offsets. */

import { fill, h, setStyle } from "./dom.js";
import { hue, lookOf, unusual, words } from "./labels.js";
import { layoutOf, levelsOf } from "./layout.js";

/**
 * @typedef {object} TextViewOptions
 * @property {(mark: Element, index: number) => void} [onShow] a mark has the pointer or the focus
 * @property {() => void} [onHide]
 * @property {(mark: Element, index: number) => void} [onPick] a mark was clicked, or Enter pressed on it
 * @property {(element: Element, index: number) => void} [dress] further classes of a mark
 * @property {boolean} [isWalked] arrow keys go from mark to mark (true unless told)
 */

export class TextView {
  /** @param {HTMLElement} root @param {TextViewOptions} [options] */
  constructor(root, options = {}) {
    this.root = root;
    this.options = options;
    /** Where each text node begins. @type {Map<Node, number>} */
    this.starts = new Map();
    /** The marks of each entity, in the order of the text. @type {HTMLElement[][]} */
    this.marks = [];
    root.addEventListener("pointerover", (event) => this.#point(event));
    root.addEventListener("pointerout", () => this.options.onHide?.());
    root.addEventListener("focusin", (event) => this.#focus(event.target));
    root.addEventListener("focusout", () => this.options.onHide?.());
    root.addEventListener("click", (event) => this.#pick(event.target));
    if (options.isWalked !== false) root.addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Draw a text. @param {{text: string, entities: any[], sections?: any[]}} document */
  draw({ text, entities, sections = [] }) {
    const focused = this.options.isWalked === false ? null : this.#focused();
    this.text = text;
    this.entities = entities;
    this.starts.clear();
    this.marks = entities.map(() => []);
    this.levels = levelsOf(entities);
    setStyle(this.root, { "--levels": this.levels.reduce((most, level) => Math.max(most, level), 0) });
    // The browser looks for the direction anew with every child it gets: with thousands it takes seconds.
    const dir = this.root.getAttribute("dir");
    this.root.removeAttribute("dir");
    fill(
      this.root,
      layoutOf(text, entities, sections).map((node) => this.#node(node)),
    );
    if (dir) this.root.setAttribute("dir", dir);
    this.#setStop(this.marks.flat()[0]);
    if (focused) this.#focusAgain(focused);
  }

  /** The entity whose mark has the focus. */
  #focused() {
    const index = this.root.contains(document.activeElement) ? document.activeElement.dataset.index : undefined;
    return index === undefined ? null : this.entities[index];
  }

  /** The mark of the same place, where it is found again. */
  #focusAgain({ start, end, label }) {
    const index = this.entities.findIndex(
      (one) => one.start === start && one.end === end && one.label === label,
    );
    this.markOf(index)?.focus({ preventScroll: true });
  }

  /** The first mark of an entity. */
  markOf(index) {
    return this.marks[index]?.[0];
  }

  /** The offset in the text of a place in the page; null outside of the text. */
  offsetOf(node, offset) {
    if (this.starts.has(node)) return this.starts.get(node) + offset;
    if (!this.root.contains(node)) return null;
    const following = node.childNodes?.[offset] ?? nextAfter(node, this.root);
    for (const [text, start] of this.starts) {
      if (following && (following === text || following.contains?.(text) || isBefore(following, text)))
        return start;
    }
    return this.text.length;
  }

  /** A DOM range over offsets of the text. @returns {Range} */
  rangeOf(start, end) {
    const range = document.createRange();
    range.setStart(...this.#placeOf(start));
    range.setEnd(...this.#placeOf(end, true));
    return range;
  }

  #placeOf(offset, isEnd = false) {
    let last = [this.root, 0];
    for (const [node, start] of this.starts) {
      const inside = offset - start;
      const fits = isEnd ? inside > 0 : inside >= 0;
      if (fits && inside <= node.length) {
        last = [node, inside];
        if (isEnd || inside < node.length) return last;
      }
    }
    return last;
  }

  #node(node) {
    if (node.kind === "text") return this.#textNode(node);
    if (node.kind === "band") return this.#band(node);
    return this.#mark(node);
  }

  #textNode({ start, end }) {
    const node = document.createTextNode(this.text.slice(start, end));
    this.starts.set(node, start);
    return node;
  }

  #band({ label, isBlock, children }) {
    const name = h("span", { class: "band-name" }, words(label));
    const inner = children.flatMap((child, place) =>
      isBlock && place === children.length - 1 ? this.#lastNode(child) : [this.#node(child)],
    );
    return h(isBlock ? "div" : "span", { class: isBlock ? "band" : "band inline" }, name, inner);
  }

  /** The end of a block: empty lines there are in the page (offsets count them) but not drawn. */
  #lastNode(node) {
    const blank = node.kind === "text" ? /\n\s*$/.exec(this.text.slice(node.start, node.end)) : null;
    if (!blank) return [this.#node(node)];
    const cut = node.start + blank.index;
    const shown = cut > node.start ? [this.#textNode({ start: node.start, end: cut })] : [];
    return [...shown, h("span", { hidden: true }, this.#textNode({ start: cut, end: node.end }))];
  }

  #mark({ piece, children }) {
    const entity = this.entities[piece.index];
    const look = lookOf(entity);
    const mark = h(
      "mark",
      {
        class: ["entity", !piece.isNew && "more", !piece.isLast && "open", look].filter(Boolean).join(" "),
        style: { "--h": hue(entity.label), "--l": this.levels[piece.index] },
        tabindex: -1,
        "data-index": piece.index,
        "data-label": entity.label,
      },
      children.map((child) =>
        look === "absent" && child.kind === "text" ? struck(this.#node(child)) : this.#node(child),
      ),
      piece.isLast && this.#label(entity, piece),
    );
    this.options.dress?.(mark, piece.index);
    this.marks[piece.index].push(mark);
    return mark;
  }

  #label(entity, piece) {
    const spans = entity.spans ?? [];
    const part = spans.findIndex(([start]) => start <= piece.start && piece.end <= entity.end) + 1;
    const number =
      spans.length > 1
        ? ` ${spans.findIndex(([, end]) => end === piece.end) + 1 || part}/${spans.length}`
        : "";
    const said = unusual(entity);
    return h(
      "b",
      {},
      entity.tag && h("i", { class: "tag" }, entity.tag),
      `${words(entity.label)}${number}`,
      said.length > 0 && h("em", {}, ` ${said.join(", ")}`),
    );
  }

  #point(event) {
    const mark = event.target.closest?.("mark.entity");
    if (mark) this.options.onShow?.(mark, Number(mark.dataset.index));
  }

  #focus(target) {
    const mark = target.closest?.("mark.entity");
    if (!mark) return;
    this.#setStop(mark);
    this.options.onShow?.(mark, Number(mark.dataset.index));
  }

  #pick(target) {
    const mark = target.closest?.("mark.entity");
    if (mark) this.options.onPick?.(mark, Number(mark.dataset.index));
  }

  /** The one mark that Tab comes to. */
  #setStop(mark) {
    this.root.querySelector("mark[tabindex='0']")?.setAttribute("tabindex", "-1");
    mark?.setAttribute("tabindex", "0");
  }

  #walk(event) {
    const marks = this.marks
      .map(([first]) => first)
      .filter(Boolean)
      .sort((a, b) => (isBefore(a, b) ? -1 : 1));
    const at = marks.findIndex((mark) => mark.dataset.index === document.activeElement?.dataset?.index);
    const steps = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: marks.length - 1,
    };
    if (at < 0 || !(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) {
      if (event.key === "Enter" && at >= 0) this.#pick(marks[at]);
      return;
    }
    event.preventDefault();
    marks[Math.max(0, Math.min(marks.length - 1, steps[event.key]))].focus();
  }
}

const struck = (node) => h("span", { class: "struck" }, node);
const isBefore = (a, b) => Boolean(a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING);

function nextAfter(node, root) {
  for (let at = node; at && at !== root; at = at.parentNode) if (at.nextSibling) return at.nextSibling;
  return null;
}
