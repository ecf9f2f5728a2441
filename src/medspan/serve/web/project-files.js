/** Texts into the project, annotations out of it, and its labels. */

import { counted, h, refill, saveAs, select } from "./dom.js";
import { formatName, formatsOf, portions } from "./downloads.js";
import { EXAMPLES } from "./examples.js";
import { chosenFiles, documentsIn, droppedFiles, isKnown } from "./file-reading.js";
import { errorBox, say, showError } from "./notices.js";
import { addDocuments, exportProject, readProject, setLabels } from "./project.js";

/** Texts sent at once: each is rated when it comes, and how far that is shall be seen. */
const PORTION = 50;
const SPLITS = [
  ["sentences", "sentences"],
  ["documents", "whole documents"],
];

export class FilesPart {
  /** @param {{store: any, project: () => any, changed: () => Promise<void>}} owner */
  constructor(owner) {
    this.owner = owner;
    this.split = "sentences";
    this.format = "jsonl";
    this.whose = "";
    this.error = errorBox();
    this.told = h("p", { class: "quiet", role: "status" });
    this.isAdding = false;
    this.choices = h("div", { class: "fields" });
    /** The labels that were shown, and the box in which they are changed: not before they are known. */
    this.labels = null;
    this.area = h("textarea", {
      rows: 8,
      "aria-label": "Labels, one a line",
      spellcheck: "false",
      disabled: true,
    });
    const parts = [this.addPart(), this.exportPart(), this.labelPart()];
    this.element = h("div", {}, this.error, h("div", { class: "thirds" }, parts));
  }

  /** Show what has changed in the project; what somebody has typed stays. */
  show() {
    this.drawChoices();
    const { labels } = this.owner.project();
    if (this.labels && this.area.value !== this.labels.join("\n")) return;
    this.area.disabled = false;
    this.labels = labels;
    this.area.value = labels.join("\n");
  }

  async guarded(act) {
    showError(this.error, null);
    try {
      await act();
    } catch (error) {
      showError(this.error, error);
    }
  }

  addPart() {
    const input = h("input", {
      type: "file",
      multiple: true,
      accept: ".txt,.jsonl,.ndjson,.csv",
      hidden: true,
      tabindex: -1,
      "aria-label": "Files to add",
    });
    input.onchange = () => {
      const chosen = chosenFiles(input);
      input.value = "";
      this.guarded(() => this.addFiles(chosen));
    };
    const drop = h(
      "div",
      { class: "drop" },
      h("p", {}, h("strong", {}, "Drop texts here")),
      h(
        "p",
        { class: "quiet small" },
        ".txt, .jsonl (entities in it become suggestions), .csv with a column “text”",
      ),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "main", onclick: () => input.click() }, "Choose files"),
        h(
          "button",
          { type: "button", onclick: () => this.guarded(() => this.addExamples()) },
          "Add invented notes",
        ),
      ),
      input,
    );
    drop.ondragover = (event) => event.preventDefault();
    drop.ondrop = async (event) => {
      event.preventDefault();
      const dropped = await droppedFiles(event.dataTransfer);
      await this.guarded(() => this.addFiles(dropped));
    };
    return h(
      "section",
      { class: "pane", "aria-label": "Add texts" },
      h("h2", {}, "Add texts"),
      drop,
      h(
        "div",
        { class: "fields" },
        select("Annotate by", SPLITS, this.split, (split) => (this.split = split)),
      ),
      this.told,
    );
  }

  async addFiles(files) {
    const known = files.filter(({ name }) => isKnown(name));
    const { documents, bad } = await documentsIn(known);
    await this.add(documents, bad, files.length - known.length);
  }

  addExamples() {
    return this.add(
      EXAMPLES.map(({ name, text }) => ({ id: name.toLowerCase().replaceAll(" ", "-"), text })),
    );
  }

  /** Add documents in portions; what was added is told, also where it broke off. */
  async add(documents, bad = [], others = 0) {
    if (this.isAdding) {
      say("Other texts are being added; wait for their end.");
      return;
    }
    this.isAdding = true;
    const { limits } = this.owner.store.get("service");
    const most = { bytes: limits.body_bytes * 0.9, count: Math.min(limits.documents, PORTION) };
    const total = { added: 0, known: 0, sent: 0 };
    try {
      for (const part of portions(documents, most)) {
        this.told.textContent = `Adding: ${total.sent} of ${counted(documents.length, "document")} …`;
        const { added, known } = await addDocuments(part, this.split);
        total.added += added;
        total.known += known;
        total.sent += part.length;
      }
    } finally {
      this.isAdding = false;
      this.tell(total, documents.length - total.sent, bad, others);
      await this.owner.changed();
      this.drawChoices();
    }
  }

  tell({ added, known }, left, bad, others) {
    const words = [
      `${counted(added, "text")} added`,
      known && `${known} known already`,
      left && `${counted(left, "document")} not sent`,
      bad.length && `${bad.length} could not be read (${bad[0].id}: ${bad[0].reason}${bad.length > 1 ? " …" : ""})`,
      others && `${counted(others, "file")} of other kinds left out`,
    ];
    this.told.textContent = `${words.filter(Boolean).join(", ")}.`;
  }

  exportPart() {
    const save = async () => {
      const { blob, name } = await exportProject(this.format, this.whose || "all");
      saveAs(blob, name);
      say(`Saved ${name}.`);
    };
    return h(
      "section",
      { class: "pane", "aria-label": "Export" },
      h("h2", {}, "Export"),
      h("p", { class: "quiet" }, "The marks of the texts that are done."),
      this.choices,
      h("button", { type: "button", class: "main", onclick: () => this.guarded(save) }, "Export"),
    );
  }

  drawChoices() {
    const { annotators } = this.owner.project();
    const formats = formatsOf(this.owner.store.get("service")).map((format) => [format, formatName(format)]);
    const people = [["", "everybody, a folder each"], ...annotators.map(({ name }) => [name, name])];
    if (this.drawn === String([formats, people])) return;
    this.drawn = String([formats, people]);
    refill(
      this.choices,
      select("Format", formats, this.format, (format) => (this.format = format)),
      select("Marks of", people, this.whose, (name) => (this.whose = name)),
    );
  }

  labelPart() {
    return h(
      "section",
      { class: "pane", "aria-label": "Labels" },
      h("h2", {}, "Labels"),
      h("p", { class: "quiet" }, "One a line, in the order of their keys."),
      this.area,
      h(
        "div",
        { class: "row tools" },
        h("button", { type: "button", onclick: () => this.guarded(() => this.saveLabels()) }, "Save labels"),
      ),
    );
  }

  async saveLabels() {
    if (!this.labels) return;
    const lines = this.area.value.split("\n").map((line) => line.trim());
    const { labels } = await readProject();
    if (String(labels) !== String(this.labels)) {
      const detail = `They are now ${labels.join(", ")}. What you typed is still here: bring both together, then save again.`;
      this.labels = labels;
      throw Object.assign(new Error(detail), { title: "The labels were changed in another window" });
    }
    this.labels = (await setLabels(lines.filter(Boolean))).labels;
    this.area.value = this.labels.join("\n");
    await this.owner.changed();
    say("The labels are saved.");
  }
}
