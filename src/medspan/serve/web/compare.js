/** Compare: two models on the same text, and where they differ. */

import { call, latest } from "./api.js";
import { createCard, entityDetails } from "./card.js";
import { debounced, fill, h, refill, table } from "./dom.js";
import { KINDS, countsOf, differences } from "./differences.js";
import { emptyState, fold, foldedEditor } from "./editor.js";
import { words } from "./labels.js";
import { spansOf } from "./layout.js";
import { errorBox, say, showError } from "./notices.js";
import { modelChoice } from "./settings.js";
import { TextView } from "./textview.js";

const WAIT = 400;

export function mount(root, store) {
  const place = h("div", {});
  root.append(place);
  const begin = () => {
    const { models } = store.get("service");
    if (models.length < 2) {
      fill(place, oneModel());
      return;
    }
    end();
    if (store.get("modelA") === store.get("modelB")) {
      store.set({ modelB: models.find(({ name }) => name !== store.get("modelA")).name });
    }
    const view = new CompareView(store);
    fill(place, view.element);
    view.ask();
  };
  const end = store.on(["service"], begin); // a model may be trained and accepted while the page is open
  begin();
}

function oneModel() {
  const words = "This service offers one model. Start it with two to compare them: ";
  return h(
    "div",
    { class: "pane empty" },
    h("p", {}, words, h("code", {}, "medspan serve --model default --model MY_MODEL")),
  );
}

class CompareView {
  constructor(store) {
    this.store = store;
    this.run = latest();
    this.pairs = null;
    this.asked = null;
    this.wanted = new Set(["label", "border", "a", "b"]);
    this.card = createCard("compare-card");
    this.error = errorBox();
    this.kinds = h("div", { class: "row", role: "group", "aria-label": "Kinds shown" });
    this.text = h("div", {
      class: "text",
      dir: "auto",
      tabindex: -1,
      role: "group",
      "aria-label": "Text with differences",
    });
    this.body = h("div", {});
    this.table = h("div", {});
    this.view = new TextView(this.text, {
      onShow: (mark, index) => this.show(mark, index),
      onHide: () => this.card.hideSoon(),
      dress: (mark, index) => this.dress(mark, index),
    });
    this.element = this.build();
    const stale = () => store.get("view") === "compare" && this.ask();
    store.on(["text"], debounced(stale, WAIT));
    store.on(["modelA", "modelB", "view"], stale);
  }

  build() {
    this.giver = foldedEditor(this.store);
    const models = h(
      "div",
      { class: "row models" },
      modelChoice(this.store, "modelA", "A"),
      modelChoice(this.store, "modelB", "B"),
    );
    return h(
      "div",
      { class: "stack" },
      this.giver,
      h(
        "section",
        { class: "pane text-pane", "aria-label": "Differences" },
        h("div", { class: "row head" }, h("h2", {}, "Differences"), models),
        this.error,
        this.kinds,
        this.body,
      ),
    );
  }

  async ask() {
    const [text, modelA, modelB] = ["text", "modelA", "modelB"].map((name) => this.store.get(name));
    const question = JSON.stringify([text, modelA, modelB]);
    if (question === this.asked) return;
    this.asked = question;
    if (!text.trim()) {
      await this.run(async () => null);
      this.drawEmpty();
      return;
    }
    this.body.setAttribute("aria-busy", "true");
    const asked = (name, signal) =>
      call("/v1/annotate", { json: { text, model: name, offsets: "utf16" }, signal });
    try {
      const answers = await this.run((signal) => Promise.all([asked(modelA, signal), asked(modelB, signal)]));
      if (answers) this.take(answers, text);
    } catch (error) {
      this.fail(error);
    }
  }

  /** What is drawn is of another text or of other models: it goes. */
  fail(error) {
    this.asked = null;
    this.clear();
    showError(this.error, error, () => this.ask());
  }

  clear() {
    this.pairs = null;
    this.card.hide();
    this.body.removeAttribute("aria-busy");
    fill(this.kinds);
    fill(this.body);
  }

  take(answers, text) {
    const bad = answers.find(({ documents }) => !documents.length);
    if (bad) {
      this.fail({ title: "This text could not be annotated", detail: bad.errors?.[0]?.reason });
      return;
    }
    showError(this.error, null);
    this.body.removeAttribute("aria-busy");
    const [a, b] = answers.map(({ documents }) => documents[0].entities);
    this.given = text;
    this.pairs = differences(a, b);
    this.draw();
    const counts = countsOf(this.pairs);
    say(KINDS.map(({ kind, words: name }) => `${counts[kind]} ${name}`).join(", "));
  }

  draw() {
    const counts = countsOf(this.pairs);
    this.card.hide();
    refill(
      this.kinds,
      KINDS.map(({ kind, words: name }) => this.button(kind, name, counts[kind])),
    );
    const shown = this.pairs.filter(({ kind }) => this.wanted.has(kind));
    const entities = shown.flatMap((pair) => marksOf(pair));
    this.view.draw({ text: this.given, entities });
    fill(this.table, this.tableOf(shown));
    if (this.body.contains(this.text)) return;
    const hadFocus = this.body.contains(document.activeElement);
    fill(this.body, h("div", { class: "compared" }, this.text, this.table));
    if (hadFocus) this.text.focus({ preventScroll: true });
    fold(this.giver);
  }

  button(kind, name, count) {
    const toggle = () => {
      if (!this.wanted.delete(kind)) this.wanted.add(kind);
      this.draw();
    };
    return h(
      "button",
      { type: "button", "aria-pressed": String(this.wanted.has(kind)), onclick: toggle },
      `${name} `,
      h("span", { class: "number" }, String(count)),
    );
  }

  tableOf(shown) {
    if (!shown.length) return h("p", { class: "quiet" }, "No difference of the kinds shown.");
    const rows = shown.map((pair) =>
      h(
        "tr",
        {},
        h("td", {}, KINDS.find(({ kind }) => kind === pair.kind).words),
        h("td", {}, this.cell(pair.a)),
        h("td", {}, this.cell(pair.b)),
      ),
    );
    return table("What differs", [["Kind"], ["A"], ["B"]], rows);
  }

  cell(entity) {
    return entity ? [this.textOf(entity), h("small", { class: "quiet" }, `  ${words(entity.label)}`)] : "–";
  }

  textOf(entity) {
    return spansOf(entity)
      .map(([start, end]) => this.given.slice(start, end))
      .join(" … ")
      .replace(/\s+/g, " ");
  }

  dress(mark, index) {
    const { kind, side } = this.view.entities[index];
    mark.classList.add(`differs-${kind}`);
    mark.classList.add(`side-${side}`);
  }

  show(mark, index) {
    const entity = this.view.entities[index];
    this.card.show(mark, entityDetails(entity, { text: this.textOf(entity) }));
    mark.setAttribute("aria-describedby", "compare-card");
  }

  drawEmpty() {
    showError(this.error, null);
    this.clear();
    fill(
      this.body,
      emptyState(this.store, "Both models read the same text; what only one of them finds is marked."),
    );
    this.giver.open = true;
  }
}

/** The marks of a pair: one where both agree on the place, else one a side; the label says whose it is. */
function marksOf({ kind, a, b }) {
  if (kind === "same") return [{ ...a, kind, side: "both", attributes: [] }];
  if (kind === "label")
    return [{ ...a, label: `${a.label} / ${b.label}`, kind, side: "both", attributes: [] }];
  return [
    a && { ...a, id: `a-${a.id}`, tag: "A", kind, side: "a", attributes: [] },
    b && { ...b, id: `b-${b.id}`, tag: "B", kind, side: "b", attributes: [] },
  ].filter(Boolean);
}
