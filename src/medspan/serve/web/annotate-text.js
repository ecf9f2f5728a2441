/** One text under the annotator's hands: marks, cursor, palette of labels; every change is saved at once. */

import { meaningOf, keysHelp } from "./annotate-keys.js";
import { checkbox, fill, h } from "./dom.js";
import { hue, percent, words } from "./labels.js";
import { errorBox, say, showError } from "./notices.js";
import { stepDocument, readDocument, writeDocument } from "./project.js";
import { changed, innermost, isSame, keysOf, movedBorder, neighbour, without, withMark } from "./spans.js";
import { TextView } from "./textview.js";
import { WordCursor } from "./word-cursor.js";

/**
 * @typedef {object} Owner
 * @property {() => string} annotator
 * @property {() => string[]} labels
 * @property {(document: any) => void} saved is told of every saved change
 * @property {(document: any) => void} ended the text was done or skipped
 */

export class AnnotatedText {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    this.document = null;
    this.marks = [];
    this.chosen = null;
    this.isWhole = true;
    this.saving = Promise.resolve();
    this.error = errorBox();
    // A finger selects without a last pointerup in the text: what is selected is taken when a label is touched.
    this.palette = h("div", {
      class: "palette",
      role: "group",
      "aria-label": "Labels",
      onpointerdown: () => this.takeSelection(),
    });
    this.actions = h("div", { class: "row actions" });
    this.head = h("div", { class: "row head" });
    this.text = h("div", { class: "text", dir: "auto" });
    this.layer = h("div", { class: "cursors", "aria-hidden": "true" });
    this.frame = h(
      "div",
      {
        class: "stage work",
        tabindex: 0,
        role: "application",
        "aria-label": "Text to annotate",
        "aria-describedby": "annotate-keys",
      },
      this.layer,
      this.text,
    );
    this.view = new TextView(this.text, {
      isWalked: false,
      dress: (mark, index) => this.dress(mark, index),
      onPick: (_, index) => this.choose(this.marks[index]),
    });
    this.cursor = new WordCursor(this.view, this.layer);
    this.frame.addEventListener("keydown", (event) => this.press(event));
    this.frame.addEventListener("pointerup", () => this.takeSelection());
    new ResizeObserver(() => this.cursor.draw()).observe(this.text);
    this.element = h(
      "div",
      {},
      this.head,
      this.error,
      this.palette,
      this.frame,
      this.actions,
      this.options(),
    );
  }

  options() {
    return h(
      "div",
      {},
      checkbox("Select whole words", true, (isOn) => (this.isWhole = isOn)),
      keysHelp("annotate-keys"),
    );
  }

  /** Open a document; false where another was asked for meanwhile. @param {string} id */
  async open(id) {
    this.wanted = id;
    const isHere = id === this.document?.id;
    if (isHere) this.frame.focus({ preventScroll: true }); // keys work while it is read again
    if (!isHere || this.document.from === "model") {
      const document = await this.read(id);
      if (this.wanted !== id) return false;
      if (document) this.take(document);
    }
    this.frame.focus({ preventScroll: true });
    return true;
  }

  /** Read a document when all changes are saved; null where it is open and was changed while it was read. */
  async read(id) {
    for (;;) {
      const { saving } = this;
      await saving;
      const document = await readDocument(id, this.owner.annotator());
      if (this.wanted !== id || this.saving === saving) return document;
      if (this.document?.id === id) return null;
    }
  }

  /** Show a document as the service gave it. */
  take(document) {
    showError(this.error, null);
    const isOther = document.id !== this.document?.id;
    this.document = document;
    this.marks = document.entities.map((entity) => ({ ...entity, isSuggested: document.from === "model" }));
    this.chosen = null;
    if (isOther) this.cursor.clear(document.text);
    this.draw();
  }

  draw() {
    const hadFocus = this.frame.contains(window.document.activeElement);
    this.view.draw({ text: this.document.text, entities: this.marks });
    this.cursor.draw(true);
    this.drawHead();
    this.drawPalette();
    this.drawActions();
    if (hadFocus) this.frame.focus({ preventScroll: true });
  }

  drawHead() {
    const { name, state, is_held_back: isHeldBack, can_undo: canUndo, can_redo: canRedo } = this.document;
    const button = (name_, act, given = {}) => h("button", { type: "button", onclick: act, ...given }, name_);
    fill(
      this.head,
      h("h2", {}, name ?? this.document.id),
      h("span", { class: `state ${state}` }, state),
      isHeldBack && h("span", { class: "state" }, "held back for scoring"),
      h("span", { class: "push" }),
      button("Undo", () => this.step("undo"), { disabled: !canUndo }),
      button("Redo", () => this.step("redo"), { disabled: !canRedo }),
      button("Skip", () => this.end("skipped")),
      button("Done, next", () => this.end("done"), { class: "main" }),
    );
  }

  drawPalette() {
    const keys = new Map([...keysOf(this.owner.labels())].map(([key, label]) => [label, key]));
    const labelButton = (label) =>
      h(
        "button",
        {
          type: "button",
          class: "label",
          style: { "--h": hue(label) },
          "aria-pressed": String(this.chosen?.label === label),
          onclick: () => this.setLabel(label),
        },
        keys.has(label) && h("kbd", {}, keys.get(label)),
        ` ${words(label)}`,
      );
    fill(this.palette, this.owner.labels().map(labelButton));
  }

  drawActions() {
    const button = (name, does, act) =>
      h("button", { type: "button", title: does, "aria-label": does, onclick: act }, name);
    if (!this.chosen) {
      const left = this.marks.filter(({ isSuggested }) => isSuggested).length;
      const hint = left
        ? `${left} suggested by the model: accept, change or delete them; Done accepts what is left.`
        : "Select words, then a label.";
      fill(
        this.actions,
        h("p", { class: "quiet" }, hint),
        left > 0 && h("button", { type: "button", onclick: () => this.acceptAll() }, "Accept all"),
      );
      return;
    }
    const { start, end, label, isSuggested, score } = this.chosen;
    fill(
      this.actions,
      h(
        "p",
        {},
        h("b", {}, words(label)),
        ` “${this.document.text.slice(start, end)}”`,
        isSuggested &&
          h("span", { class: "quiet" }, ` suggested${score === undefined ? "" : ` (${percent(score)})`}`),
      ),
      h("span", { class: "push" }),
      isSuggested && button("Accept", "Accept the suggestion", () => this.accept()),
      h("span", { class: "quiet small" }, "Start"),
      h(
        "span",
        { class: "group" },
        button("←", "Start one word earlier", () => this.border("start", -1)),
        button("→", "Start one word later", () => this.border("start", 1)),
      ),
      h("span", { class: "quiet small" }, "End"),
      h(
        "span",
        { class: "group" },
        button("←", "End one word earlier", () => this.border("end", -1)),
        button("→", "End one word later", () => this.border("end", 1)),
      ),
      button("Delete", "Delete the mark", () => this.remove()),
    );
  }

  dress(mark, index) {
    mark.removeAttribute("tabindex");
    mark.classList.toggle("suggested", this.marks[index].isSuggested);
    mark.classList.toggle("chosen", this.marks[index] === this.chosen);
  }

  press(event) {
    const meaning = this.document && meaningOf(event, keysOf(this.owner.labels()));
    if (!meaning) return;
    event.preventDefault();
    const [name, ...given] = meaning;
    const acts = {
      word: (by, isExtending) => this.goTo(() => this.cursor.step(by, isExtending)),
      line: (by, isExtending) => this.goTo(() => this.cursor.line(by, isExtending)),
      edge: (by) => this.goTo(() => this.cursor.edge(by)),
      choose: (by) => this.choose(neighbour(this.marks, this.chosen, this.cursor.range?.[0] ?? 0, by)),
      border: (border, by) => this.border(border, by),
      label: (label) => this.setLabel(label),
      remove: () => this.remove(),
      accept: () => this.accept(),
      release: () => this.choose(null),
      done: () => this.end("done"),
      skip: () => this.end("skipped"),
      undo: () => this.step("undo"),
      redo: () => this.step("redo"),
    };
    acts[name](...given);
  }

  goTo(move) {
    move();
    this.chosen = null;
    this.draw();
    const [start, end] = this.cursor.range ?? [0, 0];
    const over = this.marks
      .filter((mark) => mark.start < end && mark.end > start)
      .map(({ label }) => words(label));
    say([this.document.text.slice(start, end), ...over].join(", "));
  }

  /** Choose a mark; null for none. */
  choose(mark) {
    this.chosen = mark;
    if (mark) {
      this.cursor.cover(mark.start, mark.end, false);
      say(
        `${words(mark.label)}: ${this.document.text.slice(mark.start, mark.end)}${mark.isSuggested ? ", suggested" : ""}`,
      );
    } else {
      this.cursor.isShown = false;
    }
    this.draw();
  }

  /** Cover what the mouse has selected. */
  takeSelection() {
    const selection = getSelection();
    if (!this.document || selection.isCollapsed || !this.text.contains(selection.anchorNode)) return;
    const range = selection.getRangeAt(0);
    const start = this.view.offsetOf(range.startContainer, range.startOffset);
    const end = this.view.offsetOf(range.endContainer, range.endOffset);
    if (start === null || end === null || start >= end) return;
    this.chosen = null;
    this.cursor.cover(start, end, this.isWhole);
    selection.removeAllRanges();
    this.draw();
    this.frame.focus({ preventScroll: true });
  }

  setLabel(label) {
    const { range } = this.cursor;
    if (this.chosen) {
      if (this.chosen.label !== label) this.change({ label });
      else if (this.chosen.isSuggested) this.change({});
      return;
    }
    if (!range) {
      say("Select words first.");
      return;
    }
    const mark = { label, start: range[0], end: range[1] };
    this.chosen = mark;
    this.write(withMark(this.marks, mark), `${words(label)} added`);
  }

  /** Change the chosen mark. */
  change(changes, told = "changed") {
    const [marks, mark] = changed(this.marks, this.chosen, changes);
    this.chosen = mark;
    this.write(marks, `${words(mark.label)} ${told}`);
  }

  border(border, by) {
    const moved = this.chosen && movedBorder(this.cursor.words, this.chosen, border, by);
    if (!moved) return;
    this.cursor.cover(moved.start, moved.end, false);
    this.change(moved, "moved");
  }

  remove() {
    const mark = this.chosen ?? (this.cursor.range && innermost(this.marks, this.cursor.range[0]));
    if (!mark) return;
    this.chosen = null;
    this.write(without(this.marks, mark), `${words(mark.label)} deleted`);
  }

  /** Accept the chosen suggestion, else the next one, and go to the one after. */
  accept() {
    const mark = this.chosen?.isSuggested ? this.chosen : this.marks.find(({ isSuggested }) => isSuggested);
    if (!mark) return;
    this.chosen = mark;
    this.change({}, "accepted");
    const next = this.marks.find(({ isSuggested }) => isSuggested);
    if (next) this.choose(next);
  }

  acceptAll() {
    this.write(
      this.marks.map((mark) => ({ ...mark, isSuggested: false })),
      "All accepted",
    );
  }

  /** Show a changed list and save it. */
  write(marks, told) {
    this.marks = marks;
    this.chosen = marks.find((mark) => this.chosen && isSame(mark, this.chosen)) ?? null;
    this.draw();
    say(told);
    this.save(this.document.state === "skipped" ? "open" : this.document.state);
  }

  /** Save what stands there now, after what is being saved. @returns {Promise<boolean>} */
  save(state) {
    const entities = this.marks.map(({ label, start, end }) => ({ label, start, end }));
    const { id } = this.document;
    this.saving = this.saving.then(() => this.send(id, { entities, state }));
    return this.saving;
  }

  async send(id, { entities, state }) {
    if (this.document?.id !== id) return false;
    try {
      const saved = await writeDocument(id, this.owner.annotator(), {
        entities,
        state,
        revision: this.document.revision,
      });
      this.document = { ...this.document, ...saved, from: "annotator" };
      showError(this.error, null);
      this.drawHead();
      this.owner.saved(this.document);
      return true;
    } catch (error) {
      await this.refused(error, id);
      return false;
    }
  }

  /** Where another window has written the text is read again; else what is here stays, and is told to be unsaved. */
  async refused(error, id) {
    if (error.status === 409) {
      this.take(await readDocument(id, this.owner.annotator()));
      showError(this.error, {
        title: "Changed in another window",
        detail: "This text was changed elsewhere and has been read again. Your last change is not in it.",
        requestId: error.requestId,
      });
    } else {
      showError(this.error, error);
      this.error.append(
        h("button", { type: "button", onclick: () => this.save(this.document.state) }, "Save again"),
      );
    }
  }

  /** @param {"undo" | "redo"} step */
  async step(step) {
    await this.saving;
    if (!this.document[`can_${step}`]) return;
    try {
      this.take(await stepDocument(this.document.id, this.owner.annotator(), step));
      this.owner.saved(this.document);
      say(step === "undo" ? "Undone." : "Done again.");
    } catch (error) {
      await this.refused(error, this.document.id);
    }
  }

  /** @param {"done" | "skipped"} state */
  async end(state) {
    if (await this.save(state)) this.owner.ended(this.document);
  }
}
