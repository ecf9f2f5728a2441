/** Filters by label and score. Which labels are hidden is remembered from text to text. */

import { h, refill } from "./dom.js";
import { hue, words } from "./labels.js";

export class Filters {
  /** @param {() => void} changed is called when the user changes a filter */
  constructor(changed) {
    this.hidden = new Set();
    this.least = 0;
    this.changed = changed;
    this.list = h("div", { class: "checks" });
    this.shown = h("output", { class: "number" }, "0.00");
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.01,
      value: 0,
      oninput: () => this.#slide(),
    });
    this.element = h(
      "div",
      { class: "filters" },
      h("fieldset", {}, h("legend", {}, "Types"), this.list),
      h("label", { class: "field slider" }, h("span", {}, "Score at least ", this.shown), this.slider),
    );
  }

  /** Show the labels of some entities with their counts. */
  offer(entities) {
    const counts = new Map();
    for (const { label } of entities) counts.set(label, (counts.get(label) ?? 0) + 1);
    const labels = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    refill(
      this.list,
      labels.length
        ? labels.map(([label, count]) => this.#box(label, count))
        : h("p", { class: "quiet" }, "None found yet."),
    );
  }

  /** Whether an entity passes. */
  passes(entity) {
    return !this.hidden.has(entity.label) && (entity.score ?? 1) >= this.least;
  }

  #box(label, count) {
    const input = h("input", { type: "checkbox", onchange: () => this.#toggle(label, input.checked) });
    input.checked = !this.hidden.has(label);
    const name = h("span", { class: "swatch", style: { "--h": hue(label) } }, words(label));
    return h("label", { class: "check" }, input, name, h("span", { class: "number" }, String(count)));
  }

  #toggle(label, isOn) {
    if (isOn) this.hidden.delete(label);
    else this.hidden.add(label);
    this.changed();
  }

  #slide() {
    this.least = Number(this.slider.value);
    this.shown.textContent = this.least.toFixed(2);
    this.changed();
  }
}
