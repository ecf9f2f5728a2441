/** Read: a text with everything the model finds in it, as it is typed. */

import { call, latest } from "./api.js";
import { drawArcs, lightArcs, relationTable } from "./arcs.js";
import { createCard, entityDetails } from "./card.js";
import { checkbox, counted, debounced, fill, h, refill, svg } from "./dom.js";
import { downloadMenu } from "./downloads.js";
import { createEditor, emptyState } from "./editor.js";
import { Filters } from "./filters.js";
import { ASSERTIONS } from "./labels.js";
import { spansOf } from "./layout.js";
import { errorBox, say, showError } from "./notices.js";
import { inCodepoints } from "./offsets.js";
import { modelChoice, stagesChoice } from "./settings.js";
import { TextView } from "./textview.js";

const WAIT = 250;

/** @param {HTMLElement} root @param {ReturnType<import("./store.js").createStore>} store */
export function mount(root, store) {
  const view = new ReadView(store);
  root.append(view.element);
}

class ReadView {
  constructor(store) {
    this.store = store;
    this.document = null;
    /** The last question, as JSON, and the entity whose arcs are strong. */
    this.asked = null;
    this.lit = null;
    this.run = latest();
    this.hasArcs = true;
    this.card = createCard("read-card");
    this.filters = new Filters(() => this.draw());
    this.error = errorBox();
    this.summary = h("p", { class: "summary" });
    this.text = h("div", {
      class: "text",
      dir: "auto",
      tabindex: -1,
      role: "group",
      "aria-label": "Text with its entities",
    });
    this.layer = svg("svg", { class: "arcs", "aria-hidden": "true" });
    this.below = h("div", { class: "below" });
    this.stage = h("div", { class: "stage" });
    this.view = new TextView(this.text, {
      onShow: (mark, index) => this.show(mark, index),
      onHide: () => this.hide(),
    });
    this.element = this.build();
    const stale = () => store.get("view") === "read" && this.ask();
    store.on(["text"], debounced(stale, WAIT));
    store.on(["model", "stages", "view"], stale);
    new ResizeObserver(() => this.arcs()).observe(this.text);
  }

  build() {
    const editor = createEditor(this.store);
    const settings = h(
      "div",
      { class: "settings" },
      modelChoice(this.store, "model"),
      stagesChoice(this.store),
    );
    return h(
      "div",
      { class: "read" },
      h(
        "section",
        { class: "pane give", "aria-label": "Given text" },
        h("h2", {}, "Text"),
        editor.element,
        settings,
      ),
      h("aside", { class: "pane side", "aria-label": "Filters and legend" }, this.sidebar()),
      h(
        "section",
        { class: "pane result", "aria-label": "Entities in the text" },
        this.head(),
        this.error,
        this.stage,
        this.below,
      ),
    );
  }

  head() {
    const menu = downloadMenu(this.store, () => (this.document ? [inCodepoints(this.shown())] : []));
    return h(
      "div",
      { class: "row head" },
      h("h2", {}, "Entities"),
      this.summary,
      h("span", { class: "push" }),
      menu,
      h("button", { type: "button", onclick: () => print() }, "Print"),
    );
  }

  sidebar() {
    const legend = ASSERTIONS.filter(({ value }) => value !== "conditional").map(({ look, words }) =>
      h(
        "li",
        {},
        h(
          "mark",
          { class: `entity sample ${look}`, style: { "--h": 210, "--l": 0 } },
          h("span", { class: look === "absent" ? "struck" : null }, "mention"),
        ),
        ` ${words}`,
      ),
    );
    return h(
      "details",
      { open: matchMedia("(min-width: 52rem)").matches },
      h("summary", {}, h("h2", {}, "Show")),
      this.filters.element,
      checkbox("Arcs of relations", true, (isOn) => {
        this.hasArcs = isOn;
        this.arcs();
      }),
      h("h3", {}, "Assertion"),
      h(
        "ul",
        { class: "legend" },
        h(
          "li",
          {},
          h("mark", { class: "entity sample", style: { "--h": 210, "--l": 0 } }, "mention"),
          " present",
        ),
        legend,
      ),
      h("h3", {}, "Keys"),
      h(
        "p",
        { class: "quiet small" },
        h("kbd", {}, "Tab"),
        " into the text, ",
        h("kbd", {}, "←"),
        " ",
        h("kbd", {}, "→"),
        " from entity to entity, ",
        h("kbd", {}, "Esc"),
        " closes the card.",
      ),
    );
  }

  /** Annotate the text that stands in the box now; an earlier question is dropped, the same one not asked again. */
  async ask() {
    const [text, model, stages] = ["text", "model", "stages"].map((name) => this.store.get(name));
    const question = JSON.stringify([text, model, stages]);
    if (question === this.asked) return;
    this.asked = question;
    if (!text.trim()) {
      await this.run(async () => null);
      this.end(null, null);
      return;
    }
    this.stage.setAttribute("aria-busy", "true");
    const begun = performance.now();
    try {
      const answer = await this.run((signal) =>
        call("/v1/annotate", { json: { text, model, stages, offsets: "utf16" }, signal }),
      );
      if (answer) this.take(answer, text, performance.now() - begun);
    } catch (error) {
      this.end(null, error);
    }
  }

  /** The question is over: with a document, with none, or with an error (what was drawn is of another text). */
  end(document, error) {
    this.stage.removeAttribute("aria-busy");
    this.document = document;
    if (error) this.asked = null;
    showError(this.error, error, () => this.ask());
    this.draw(error);
  }

  take(answer, text, elapsed) {
    if (!answer.documents.length) {
      const detail = answer.errors?.[0]?.reason;
      this.end(null, { title: "This text could not be annotated", detail });
      return;
    }
    const document = { ...answer.documents[0], text };
    this.filters.offer(document.entities);
    this.end(document, null);
    const { entities, relations = [] } = document;
    const found = [
      counted(entities.length, "entity", "entities"),
      relations.length && counted(relations.length, "relation"),
    ];
    const words = found.filter(Boolean).join(", ");
    this.summary.textContent = `${words} · ${(elapsed / 1000).toFixed(2)} s`;
    say(`${words} found.`);
  }

  /** The document as the filters leave it. */
  shown() {
    const entities = this.document.entities.filter((entity) => this.filters.passes(entity));
    const ids = new Set(entities.map(({ id }) => id));
    const relations = (this.document.relations ?? []).filter(
      ({ head, tail }) => ids.has(head) && ids.has(tail),
    );
    return { ...this.document, entities, relations };
  }

  draw(error) {
    this.card.hide();
    if (!this.document) {
      this.drawEmpty(error);
      return;
    }
    const shown = this.shown();
    const hadFocus = this.stage.contains(window.document.activeElement);
    this.view.draw(shown);
    if (!this.stage.contains(this.text)) fill(this.stage, this.text, this.layer);
    if (hadFocus && !this.stage.contains(window.document.activeElement)) this.text.focus();
    const goTo = (index) => this.view.markOf(index).focus();
    const table =
      shown.relations.length > 0 &&
      relationTable(shown.relations, shown.entities, (entity) => this.textOf(entity), goTo);
    refill(this.below, table);
    this.arcs();
  }

  drawEmpty(error) {
    this.summary.textContent = "";
    this.filters.offer([]);
    const words =
      "Entities appear here as you type: diseases, drugs, findings, with assertion and relations.";
    fill(this.stage, !error && emptyState(this.store, words));
    fill(this.below);
  }

  arcs() {
    if (!this.document || !this.text.isConnected) return;
    const relations = this.hasArcs ? this.shown().relations : [];
    this.text.classList.toggle("has-arcs", relations.length > 0);
    drawArcs(this.layer, this.view, relations);
    lightArcs(this.layer, this.lit);
  }

  textOf(entity) {
    return spansOf(entity)
      .map(([start, end]) => this.document.text.slice(start, end))
      .join(" … ")
      .replace(/\s+/g, " ");
  }

  show(mark, index) {
    const entity = this.view.entities[index];
    const { entities, relations } = this.shown();
    const nameOf = (id) => this.textOf(entities.find((one) => one.id === id));
    const own = relations.filter(({ head, tail }) => head === entity.id || tail === entity.id);
    this.card.show(mark, entityDetails(entity, { text: this.textOf(entity), relations: own, nameOf }));
    mark.setAttribute("aria-describedby", "read-card");
    this.lit = entity.id;
    lightArcs(this.layer, this.lit);
  }

  hide() {
    this.card.hideSoon();
    this.lit = null;
    lightArcs(this.layer, this.lit);
  }
}
