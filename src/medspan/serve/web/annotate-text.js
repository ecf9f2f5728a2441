/** One text under the annotator's hands: marks, cursor, palette of labels; every change is saved at once. */

import { meaningOf, keysHelp } from "./annotate-keys.js";
import { Saving } from "./annotate-saving.js";
import { Tools } from "./annotate-tools.js";
import { checkbox, h } from "./dom.js";
import { words } from "./labels.js";
import { errorBox, say, showError } from "./notices.js";
import { readDocument } from "./project.js";
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

const ENDS = new Set(["done", "skip"]);

export class AnnotatedText {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    this.document = null;
    this.wanted = null;
    this.readings = 0;
    this.marks = [];
    this.chosen = null;
    this.isWhole = true;
    this.saving = new Saving({
      annotator: owner.annotator,
      document: () => this.document,
      kept: (saved) => this.kept(saved),
      replaced: (document) => this.take(document),
      failed: (error) => this.failed(error),
    });
    this.error = errorBox();
    this.tools = new Tools(this);
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
      this.tools.head,
      this.error,
      this.tools.palette,
      this.frame,
      this.tools.actions,
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

  /** Open a document; false where another was asked for meanwhile, or this one cannot be left. @param {string} id */
  async open(id) {
    this.wanted = id;
    const isHere = id === this.document?.id;
    if (isHere) this.frame.focus({ preventScroll: true }); // keys work while it is read again
    if (!isHere || this.document.from === "model") {
      const document = await this.busy(() => this.read(id));
      if (this.wanted !== id || !(document || isHere)) return false;
      if (document) this.take(document);
    }
    this.frame.focus({ preventScroll: true });
    return true;
  }

  async busy(act) {
    this.readings += 1;
    this.frame.setAttribute("aria-busy", "true");
    try {
      return await act();
    } finally {
      this.readings -= 1;
      if (!this.readings) this.frame.removeAttribute("aria-busy");
    }
  }

  /** Read a document when all changes are saved; null where one is not, or was made while it was read. */
  async read(id) {
    for (;;) {
      if (!(await this.saving.settled())) {
        if (this.wanted === id) this.wanted = this.document.id;
        return null;
      }
      const { over } = this.saving;
      const document = await readDocument(id, this.owner.annotator());
      if (this.wanted !== id || this.saving.over === over) return document;
      if (this.document?.id === id) return null;
    }
  }

  /** Show nothing; false where a change is not saved. */
  async close() {
    if (!(await this.saving.settled())) return false;
    this.document = null;
    this.wanted = null;
    return true;
  }

  /** Show a document as the service gave it. */
  take(document) {
    showError(this.error, null);
    const isOther = document.id !== this.document?.id;
    this.document = document;
    this.marks = document.entities.map((entity) => ({ ...entity, isSuggested: document.from === "model" }));
    this.chosen = (!isOther && this.chosen && this.marks.find((mark) => isSame(mark, this.chosen))) || null;
    this.saving.begin(document.state);
    if (isOther) this.cursor.clear(document.text);
    this.draw();
  }

  draw() {
    const hadFocus = this.frame.contains(window.document.activeElement);
    this.view.draw({ text: this.document.text, entities: this.marks });
    this.cursor.draw(true);
    this.tools.draw();
    if (hadFocus) this.frame.focus({ preventScroll: true });
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
    if (event.repeat && ENDS.has(name)) return; // a key held down is no word on texts not seen yet
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
    this.saving.afterStep(() => acts[name](...given));
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
    const { state } = this.saving; // of the last saving asked for: what was done stays so
    this.save(state === "skipped" ? "open" : state);
  }

  /** Save what stands there now. @returns {Promise<boolean>} */
  save(state) {
    return this.saving.save(this.marks, state);
  }

  /** The service has what was saved. */
  kept(saved) {
    this.document = { ...this.document, ...saved, from: "annotator" };
    showError(this.error, null);
    this.tools.drawHead();
    this.owner.saved(this.document);
  }

  /** What is here and could not be saved stays; where another window was first, its marks were taken. */
  failed(error) {
    if (error.status === 409) {
      showError(this.error, {
        title: "Changed in another window",
        detail: "This text was changed elsewhere and has been read again. Your last change is not in it.",
        requestId: error.requestId,
      });
      return;
    }
    showError(this.error, error);
    if (!this.saving.unsaved) return;
    say("Not saved.");
    const button = (name, act) => h("button", { type: "button", onclick: act }, name);
    const drop = button("Drop the change", () => this.drop());
    this.error.append(h("div", { class: "row" }, button("Save again", () => this.again()), drop));
  }

  /** Save what could not be saved; where the text was done or skipped, go on. */
  again() {
    const { isEnding, unsaved } = this.saving;
    if (!unsaved) return;
    if (isEnding) this.end(this.saving.state);
    else this.saving.again();
  }

  /** Give up what could not be saved: the text as the service has it. */
  async drop() {
    const { id } = this.document;
    try {
      const document = await readDocument(id, this.owner.annotator());
      if (this.document?.id === id) this.take(document);
    } catch (error) {
      this.failed(error);
    }
  }

  /** @param {"undo" | "redo"} step */
  async step(step) {
    if (await this.saving.step(step)) {
      this.owner.saved(this.document);
      say(step === "undo" ? "Undone." : "Done again.");
    }
  }

  /** @param {"done" | "skipped"} state */
  async end(state) {
    const saved = this.save(state);
    this.saving.isEnding = true;
    if (!(await saved)) return;
    this.saving.isEnding = false;
    this.owner.ended(this.document);
  }
}
