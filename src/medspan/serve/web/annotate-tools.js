/** What stands around a text that is annotated: its head, the palette of labels, and what can be done to a mark. */

import { h, refill } from "./dom.js";
import { hue, percent, words } from "./labels.js";
import { keysOf } from "./spans.js";

export class Tools {
  /** @param {import("./annotate-text.js").AnnotatedText} text */
  constructor(text) {
    this.text = text;
    this.head = h("div", { class: "row head" });
    // A finger selects without a last pointerup in the text: what is selected is taken when a label is touched.
    this.palette = h("div", {
      class: "palette",
      role: "group",
      "aria-label": "Labels",
      onpointerdown: () => text.takeSelection(),
    });
    this.actions = h("div", { class: "row actions" });
  }

  draw() {
    this.drawHead();
    this.drawPalette();
    this.drawActions();
  }

  /** A button; where a pointer pressed it, keys go on in the text. */
  button(name, act, given = {}) {
    const onclick = (event) => {
      if (event.detail) this.text.frame.focus({ preventScroll: true });
      this.text.saving.afterStep(act);
    };
    return h("button", { type: "button", onclick, ...given }, name);
  }

  /** A button that ends the text; of a double click the second is meant for no other text. */
  ending(name, state, given = {}) {
    const onclick = ({ detail }) => detail < 2 && this.text.saving.afterStep(() => this.text.end(state));
    return h("button", { type: "button", onclick, ...given }, name);
  }

  drawHead() {
    const { id, name, state, is_held_back: isHeldBack, can_undo: canUndo, can_redo: canRedo } = this.text.document;
    refill(
      this.head,
      h("h2", {}, name ?? id),
      h("span", { class: `state ${state}` }, state),
      isHeldBack && h("span", { class: "state" }, "held back for scoring"),
      h("span", { class: "push" }),
      this.button("Undo", () => this.text.step("undo"), { disabled: !canUndo }),
      this.button("Redo", () => this.text.step("redo"), { disabled: !canRedo }),
      this.ending("Skip", "skipped"),
      this.ending("Done, next", "done", { class: "main" }),
    );
  }

  drawPalette() {
    const labels = this.text.owner.labels();
    const keys = new Map([...keysOf(labels)].map(([key, label]) => [label, key]));
    const { chosen } = this.text;
    const labelButton = (label) =>
      this.button(
        [keys.has(label) && h("kbd", {}, keys.get(label)), ` ${words(label)}`],
        () => this.text.setLabel(label),
        { class: "label", style: { "--h": hue(label) }, "aria-pressed": String(chosen?.label === label) },
      );
    refill(this.palette, labels.map(labelButton));
  }

  drawActions() {
    if (this.text.chosen) this.drawChosen(this.text.chosen);
    else this.drawHint();
  }

  drawHint() {
    const left = this.text.marks.filter(({ isSuggested }) => isSuggested).length;
    const hint = left
      ? `${left} suggested by the model: accept, change or delete them; Done accepts what is left.`
      : "Select words, then a label.";
    refill(
      this.actions,
      h("p", { class: "quiet" }, hint),
      left > 0 && this.button("Accept all", () => this.text.acceptAll()),
    );
  }

  drawChosen({ start, end, label, isSuggested, score }) {
    const action = (name, does, act) => this.button(name, act, { title: does, "aria-label": does });
    const border = (name, side) => [
      h("span", { class: "quiet small" }, name),
      h(
        "span",
        { class: "group" },
        action("←", `${name} one word earlier`, () => this.text.border(side, -1)),
        action("→", `${name} one word later`, () => this.text.border(side, 1)),
      ),
    ];
    refill(
      this.actions,
      h(
        "p",
        {},
        h("b", {}, words(label)),
        ` “${this.text.document.text.slice(start, end)}”`,
        isSuggested &&
          h("span", { class: "quiet" }, ` suggested${score === undefined ? "" : ` (${percent(score)})`}`),
      ),
      h("span", { class: "push" }),
      isSuggested && action("Accept", "Accept the suggestion", () => this.text.accept()),
      border("Start", "start"),
      border("End", "end"),
      action("Delete", "Delete the mark", () => this.text.remove()),
    );
  }
}
