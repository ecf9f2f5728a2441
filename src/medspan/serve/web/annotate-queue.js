/** The texts of the project in the order in which they help most. */

import { latest } from "./api.js";
import { counted, h, refill, select } from "./dom.js";
import { listDocuments } from "./project.js";

const PAGE = 50;
const STATES = [
  ["open", "open"],
  ["done", "done"],
  ["skipped", "skipped"],
  ["all", "all"],
];
const ORDERS = [
  ["suggested", "most informative first"],
  ["given", "as given"],
];

export class Queue {
  /** @param {{annotator: () => string, open: (id: string) => void, failed: (error: any, again: () => void) => void}} owner */
  constructor(owner) {
    this.owner = owner;
    this.state = "open";
    this.order = "suggested";
    this.limit = PAGE;
    this.documents = [];
    this.total = 0;
    this.isLoaded = false;
    this.drawn = null;
    this.run = latest();
    this.current = null;
    this.list = h("ol", { class: "documents" });
    this.told = h("p", { class: "quiet small" });
    const change = (changes) => {
      Object.assign(this, changes, { limit: PAGE });
      this.tryLoad();
    };
    this.element = h(
      "div",
      {},
      h("h2", {}, "Texts"),
      h(
        "div",
        { class: "row tools" },
        select("Show", STATES, this.state, (state) => change({ state })),
        select("Order", ORDERS, this.order, (order) => change({ order })),
      ),
      this.told,
      this.list,
    );
  }

  async load() {
    const { state, order, limit } = this;
    const wanted = { annotator: this.owner.annotator(), state, order, limit };
    const answer = await this.run((signal) => listDocuments(wanted, signal));
    if (!answer) return;
    this.isLoaded = true;
    this.documents = answer.documents;
    this.total = answer.total;
    this.draw();
  }

  async tryLoad() {
    try {
      await this.load();
      this.owner.failed(null);
    } catch (error) {
      this.owner.failed(error, () => this.tryLoad());
    }
  }

  /** A document was saved: show its state. */
  renew(document) {
    const own = this.documents.find(({ id }) => id === document.id);
    if (own && own.state !== document.state) {
      own.state = document.state;
      this.draw();
    }
  }

  setCurrent(id) {
    this.current = id;
    this.draw();
  }

  /** Draw what differs: a text that is drawn anew under a pointer is not clicked. */
  draw() {
    const drawn = JSON.stringify([this.documents, this.total, this.current]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.told.textContent = counted(this.total, "text");
    const more =
      this.total > this.documents.length &&
      h("li", {}, h("button", { type: "button", onclick: () => this.more() }, "More"));
    const most = Math.max(1e-9, ...this.documents.map(({ uncertainty }) => uncertainty ?? 0));
    refill(
      this.list,
      this.documents.map((document) => this.item(document, most)),
      more,
    );
  }

  more() {
    this.limit += PAGE;
    return this.tryLoad();
  }

  /** @param {number} most the largest uncertainty of the list: bars are drawn relative to it */
  item({ id, name, state, preview, uncertainty, is_held_back: isHeldBack }, most) {
    const bar = {
      min: 0,
      max: most,
      value: uncertainty,
      title: `uncertainty ${uncertainty?.toFixed(2)}`,
      "aria-label": "Uncertainty",
    };
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "document",
          "aria-current": id === this.current ? "true" : null,
          onclick: () => this.owner.open(id),
        },
        h("span", { class: "preview" }, preview),
        h(
          "span",
          { class: "about" },
          h("span", { class: "quiet name" }, name ?? id),
          state !== "open" && h("span", { class: `state ${state}` }, state),
          isHeldBack &&
            h(
              "span",
              { class: "state", title: "Nothing is learnt from it; it scores the model" },
              "held back",
            ),
          typeof uncertainty === "number" && h("meter", bar),
        ),
      ),
    );
  }
}
