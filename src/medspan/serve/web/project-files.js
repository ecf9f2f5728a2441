/** Texts into the project, annotations out of it, and its labels. */

import { counted, fill, h, saveAs, select } from "./dom.js";
import { formatName, formatsOf, portions } from "./downloads.js";
import { EXAMPLES } from "./examples.js";
import { chosenFiles, documentsOf, droppedFiles, isKnown, withOwnIds } from "./file-reading.js";
import { errorBox, say, showError } from "./notices.js";
import { addDocuments, exportProject, setLabels } from "./project.js";

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
    this.body = h("div", { class: "thirds" });
    this.element = h("div", {}, this.error, this.body);
  }

  show() {
    fill(this.body, this.addPart(), this.exportPart(), this.labelPart());
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
    const found = [];
    let bad = 0;
    for (const { name, file } of files.filter((one) => isKnown(one.name))) {
      const read = documentsOf(name, await file.text());
      found.push(...read.documents);
      bad += read.bad.length;
    }
    await this.add(withOwnIds(found), bad);
  }

  addExamples() {
    return this.add(
      EXAMPLES.map(({ name, text }) => ({ id: name.toLowerCase().replaceAll(" ", "-"), text })),
      0,
    );
  }

  async add(documents, bad) {
    const { limits } = this.owner.store.get("service");
    const total = { added: 0, known: 0 };
    for (const part of portions(documents, { bytes: limits.body_bytes * 0.9, count: limits.documents })) {
      const { added, known } = await addDocuments(part, this.split);
      total.added += added;
      total.known += known;
    }
    const words = [
      `${counted(total.added, "text")} added`,
      total.known && `${total.known} known already`,
      bad && `${bad} could not be read`,
    ];
    this.told.textContent = `${words.filter(Boolean).join(", ")}.`;
    await this.owner.changed();
  }

  exportPart() {
    const { annotators } = this.owner.project();
    const formats = formatsOf(this.owner.store.get("service")).map((format) => [format, formatName(format)]);
    const people = [["", "everybody, a folder each"], ...annotators.map(({ name }) => [name, name])];
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
      h(
        "div",
        { class: "fields" },
        select("Format", formats, this.format, (format) => (this.format = format)),
        select("Marks of", people, this.whose, (name) => (this.whose = name)),
      ),
      h("button", { type: "button", class: "main", onclick: () => this.guarded(save) }, "Export"),
    );
  }

  labelPart() {
    const area = h("textarea", { rows: 8, "aria-label": "Labels, one a line", spellcheck: "false" });
    area.value = this.owner.project().labels.join("\n");
    const save = async () => {
      await setLabels(
        area.value
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean),
      );
      await this.owner.changed();
      say("The labels are saved.");
    };
    return h(
      "section",
      { class: "pane", "aria-label": "Labels" },
      h("h2", {}, "Labels"),
      h("p", { class: "quiet" }, "One a line, in the order of their keys."),
      area,
      h(
        "div",
        { class: "row tools" },
        h("button", { type: "button", onclick: () => this.guarded(save) }, "Save labels"),
      ),
    );
  }
}
