/** Annotate: who you are, then the texts, the agreement, the training and the files of the project. */

import { AnnotatedText } from "./annotate-text.js";
import { Queue } from "./annotate-queue.js";
import { AgreementPart } from "./agreement.js";
import { FilesPart } from "./project-files.js";
import { TrainPart } from "./train.js";
import { counted, fill, find, h } from "./dom.js";
import { keep, kept } from "./keeping.js";
import { errorBox, say, showError } from "./notices.js";
import { readProject } from "./project.js";

const KEY = "medspan-annotator";
const PARTS = [
  ["", "Texts"],
  ["agreement", "Agreement"],
  ["train", "Train"],
  ["files", "Files and labels"],
];

export function mount(root, store) {
  const view = new AnnotateView(store);
  root.append(view.element);
  view.start();
}

class AnnotateView {
  constructor(store) {
    this.store = store;
    this.name = kept("localStorage", KEY) ?? "";
    this.project = null;
    /** How often the project was asked for, and which of the answers is shown. */
    this.turns = { asked: 0, taken: 0 };
    this.error = errorBox();
    this.bar = this.createBar();
    this.body = h("div", {});
    this.element = h("div", { class: "stack annotate" }, this.bar, this.error, this.body);
    this.text = new AnnotatedText({
      annotator: () => this.name,
      labels: () => this.project.labels,
      saved: (document) => this.queue.renew(document),
      ended: (document) => this.next(document),
    });
    this.queue = new Queue({
      annotator: () => this.name,
      open: (id) => this.open(id),
      failed: (error, again) => showError(this.error, error, again),
    });
    this.work = h("div", { class: "pane text-pane", tabindex: -1 });
    this.parts = {
      agreement: new AgreementPart({ annotator: () => this.name, open: (id) => this.openFrom(id) }),
      train: new TrainPart({
        annotator: () => this.name,
        project: () => this.project,
        changed: () => this.refresh(true),
        store,
      }),
      files: new FilesPart({ store, project: () => this.project, changed: () => this.refresh(true) }),
    };
    store.on(["view", "part"], () => store.get("view") === "annotate" && this.draw());
    addEventListener("beforeunload", (event) => this.text.saving.isOpen && event.preventDefault());
  }

  async start() {
    await this.refresh(true);
    if (this.project) this.draw();
  }

  /** Read the project again; with `isQueue` the list of texts too. */
  async refresh(isQueue = false) {
    const turn = (this.turns.asked += 1);
    try {
      const project = await readProject();
      if (turn > this.turns.taken) {
        this.turns.taken = turn;
        this.project = project;
      }
      if (isQueue && this.name) await this.queue.load();
      showError(this.error, null);
      this.drawBar();
    } catch (error) {
      showError(this.error, error, () => this.start());
    }
  }

  draw() {
    if (!this.project) return;
    this.drawBar();
    if (!this.name) {
      fill(this.body, this.nameForm());
      return;
    }
    const part = this.parts[this.store.get("part")];
    fill(this.body, part ? part.element : this.texts());
    if (part) this.refresh().then(() => part.show());
    else this.drawText();
  }

  drawText() {
    const { document, wanted } = this.text;
    if (document) this.text.draw();
    if (wanted && wanted !== document?.id) this.open(wanted);
    else if (!document) this.openFirst();
    else if (document.from === "model") this.open(document.id); // another model may suggest by now
  }

  drawBar() {
    for (const [part, link] of this.links) {
      if (part === this.store.get("part")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.who.hidden = !this.name;
    const own = this.project.annotators.find(({ name }) => name === this.name);
    const done = own?.done ?? 0;
    this.doneWords.textContent = `${done} of ${counted(this.project.documents, "text")} done`;
    this.doneBar.max = Math.max(1, this.project.documents);
    this.doneBar.value = done;
    this.change.textContent = `${this.name} (change)`;
  }

  /** The parts, how much is done, and by whom: drawn once, so that nothing moves away under a pointer. */
  createBar() {
    this.links = new Map(
      PARTS.map(([part, title]) => [part, h("a", { href: `#annotate${part && `/${part}`}` }, title)]),
    );
    this.doneWords = h("span", { class: "quiet small number" });
    this.doneBar = h("progress", { class: "short", "aria-label": "Texts done" });
    this.change = h("button", { type: "button", class: "quiet-button", onclick: () => this.setName("") });
    this.who = h("div", { class: "row", hidden: true }, this.doneWords, this.doneBar, this.change);
    const nav = h("nav", { class: "subtabs", "aria-label": "Parts of the project" }, [...this.links.values()]);
    return h("div", { class: "row head" }, nav, h("span", { class: "push" }), this.who);
  }

  nameForm() {
    const known = this.project.annotators.map(({ name }) => h("option", { value: name }));
    const input = h("input", {
      type: "text",
      id: "annotator",
      list: "annotators",
      autocomplete: "off",
      maxlength: 60,
    });
    const form = h(
      "form",
      { class: "pane who" },
      h("h2", {}, "Who annotates?"),
      h(
        "p",
        { class: "quiet" },
        "Each person’s marks are kept apart, so that their agreement can be told. The name is kept in this browser.",
      ),
      h(
        "div",
        { class: "row" },
        h("label", { class: "field" }, h("span", {}, "Name"), input),
        h("button", { type: "submit", class: "main" }, "Begin"),
      ),
      h("datalist", { id: "annotators" }, known),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      if (input.value.trim()) this.setName(input.value.trim());
    };
    return form;
  }

  async setName(name) {
    if (!(await this.text.close())) return; // saved under the name of whoever made the change
    this.name = name;
    keep("localStorage", KEY, name || null);
    await this.refresh(true);
    this.draw();
    find("#annotator")?.focus();
  }

  texts() {
    return h(
      "div",
      { class: "texts" },
      h("section", { class: "pane queue", "aria-label": "Queue" }, this.queue.element),
      h("section", { "aria-label": "Text" }, this.work),
    );
  }

  openFirst() {
    const [first] = this.queue.documents;
    if (first) this.open(first.id);
    else if (this.queue.isLoaded) this.drawNothing();
  }

  async drawNothing() {
    if (!(await this.text.close())) return;
    const isEmpty = this.project.documents === 0;
    const words = isEmpty ? "This project has no texts yet." : "Nothing is open for you here. Well done.";
    const ways = [
      isEmpty && h("a", { class: "button main", href: "#annotate/files" }, "Add texts"),
      !isEmpty && h("a", { class: "button main", href: "#annotate/train" }, "Train the model"),
    ];
    const hadFocus = this.work.contains(window.document.activeElement);
    fill(this.work, h("div", { class: "empty" }, h("p", {}, words), ways));
    if (hadFocus) this.work.focus({ preventScroll: true });
  }

  async open(id) {
    try {
      if (!(await this.text.open(id))) return;
      showError(this.error, null);
      if (!this.work.contains(this.text.element)) fill(this.work, this.text.element);
      this.text.draw();
      this.text.frame.focus({ preventScroll: true });
      this.queue.setCurrent(id);
    } catch (error) {
      if (this.text.wanted === id) showError(this.error, error, () => this.open(id));
    }
  }

  /** Open a text named elsewhere (in the table of disagreements). */
  async openFrom(id) {
    this.text.wanted = id; // and no other, when the texts are shown
    const shown = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
    location.hash = "#annotate";
    await shown;
    await this.open(id);
  }

  /** After a text that was done or skipped: the next open one, unless the user asked for one meanwhile. */
  async next(document) {
    say(`${document.name ?? document.id}: ${document.state}.`);
    await this.refresh(true);
    if (this.text.wanted !== document.id) return;
    const following = this.queue.documents.find(({ id, state }) => id !== document.id && state === "open");
    if (following) await this.open(following.id);
    else await this.drawNothing();
  }
}
