/** A cursor that goes from word to word over a drawn text, and covers one or several. */

import { fill, h, setStyle } from "./dom.js";
import { wholeWords, wordsOf } from "./offsets.js";

export class WordCursor {
  /** @param {import("./textview.js").TextView} view @param {HTMLElement} layer lies under the text */
  constructor(view, layer) {
    this.view = view;
    this.layer = layer;
    this.clear("");
  }

  /** A new text; nothing is covered. */
  clear(text) {
    this.words = wordsOf(text);
    this.anchor = 0;
    this.head = 0;
    /** What is covered, exactly, where it is not whole words. @type {[number, number] | null} */
    this.exact = null;
    this.isShown = false;
  }

  /** Offsets of what is covered; null where nothing is. @returns {[number, number] | null} */
  get range() {
    if (!this.isShown || !this.words.length) return null;
    const [first, last] = [Math.min(this.anchor, this.head), Math.max(this.anchor, this.head)];
    return this.exact ?? [this.words[first][0], this.words[last][1]];
  }

  /** Cover what a mouse selected. @param {boolean} isWhole widened to whole words */
  cover(start, end, isWhole = true) {
    const whole = wholeWords(this.words, start, end);
    if (!whole) return;
    this.anchor = this.words.findIndex(([from]) => from === whole[0]);
    this.head = this.words.findIndex(([, to]) => to === whole[1]);
    this.exact = isWhole ? null : [start, end];
    this.isShown = true;
  }

  /** One word on or back; `extends` keeps what is covered and adds to it. */
  step(by, isExtending) {
    this.exact = null;
    if (this.isShown) this.#goTo(this.head + by, isExtending);
    else this.isShown = true;
  }

  /** To the nearest word of the line above or below. @param {1 | -1} by */
  line(by, isExtending) {
    this.exact = null;
    const here = this.#rect(this.head);
    if (!here || !this.isShown) {
      this.isShown = true;
      return;
    }
    let best = null;
    for (let at = this.head + by; at >= 0 && at < this.words.length; at += by) {
      const rect = this.#rect(at);
      if (!rect || Math.abs(rect.top - here.top) < here.height / 2) continue;
      if (best && Math.abs(rect.top - best.top) > here.height / 2) break;
      const away = Math.abs(rect.left + rect.width / 2 - here.left - here.width / 2);
      if (!best || away < best.away) best = { at, away, top: rect.top };
    }
    this.#goTo(best ? best.at : by > 0 ? this.words.length - 1 : 0, isExtending);
  }

  /** To the first or the last word. @param {1 | -1} by */
  edge(by) {
    this.exact = null;
    this.isShown = true;
    this.#goTo(by > 0 ? this.words.length - 1 : 0, false);
  }

  #goTo(at, isExtending) {
    this.head = Math.max(0, Math.min(this.words.length - 1, at));
    if (!isExtending) this.anchor = this.head;
  }

  #rect(at) {
    const word = this.words[at];
    return word && this.view.rangeOf(...word).getClientRects()[0];
  }

  /** Draw it, and bring it into sight. */
  draw(isFollowed = false) {
    const { range } = this;
    if (!range) {
      fill(this.layer);
      return;
    }
    const origin = this.layer.getBoundingClientRect();
    const rects = [...this.view.rangeOf(...range).getClientRects()].filter(({ width }) => width > 0);
    fill(
      this.layer,
      rects.map((rect) => box(rect, origin)),
    );
    if (isFollowed) this.layer.lastElementChild?.scrollIntoView({ block: "nearest" });
  }
}

function box(rect, origin) {
  const element = h("span", { class: "cursor" });
  setStyle(element, {
    left: `${rect.left - origin.left}px`,
    top: `${rect.top - origin.top}px`,
    width: `${rect.width}px`,
    height: `${rect.height}px`,
  });
  return element;
}
