/** Files: a folder in, annotated documents out, with progress and what could not be read. */

import { ServiceError, lines, query } from "./api.js";
import { counted, fill, h, saveAs, table } from "./dom.js";
import { downloadButtons, portions } from "./downloads.js";
import { chosenFiles, documentsIn, droppedFiles, isKnown } from "./file-reading.js";
import { words } from "./labels.js";
import { errorBox, say, showError } from "./notices.js";
import { characters as inCharacters } from "./offsets.js";
import { modelChoice, stagesChoice } from "./settings.js";

/** So much of a chunk of NDJSON is sent at once: small enough for progress, large enough for speed. */
const CHUNK = { bytes: 400_000, count: 32 };
const MOST_ROWS = 500;
const NDJSON = "application/x-ndjson";
/** Where one document is wrong, those sent with it are refused too. */
const REFUSED = new Set([400, 413]);
const CUT = "The answer of the service ended too early. Is it still running?";
const tooLong = (most) => `it has more than ${most.toLocaleString("en")} characters; split it`;

export function mount(root, store) {
  const view = new FilesView(store);
  root.append(view.element);
  view.draw();
}

class FilesView {
  constructor(store) {
    this.store = store;
    this.controller = null;
    this.isRunning = false;
    this.error = errorBox();
    this.progress = h("progress", { "aria-label": "Documents done", max: 1, value: 0 });
    this.cancelButton = h("button", { type: "button", onclick: () => this.controller?.abort() }, "Cancel");
    const goOn = () => this.run(() => this.annotateAll());
    this.goOnButton = h("button", { type: "button", class: "main", onclick: goOn }, "Go on");
    this.told = h("p", { class: "summary" });
    const buttons = h("div", {}, this.cancelButton, this.goOnButton);
    this.bar = h("div", { class: "bar", hidden: true }, this.told, this.progress, buttons);
    addEventListener("beforeunload", (event) => this.isRunning && event.preventDefault());
    this.results = h("div", { class: "results", tabindex: -1 });
    this.element = this.build();
    this.reset();
  }

  reset() {
    Object.assign(this, {
      given: [],
      done: [],
      bad: [],
      answered: 0,
      entities: 0,
      skipped: 0,
    });
  }

  build() {
    const drop = this.dropZone();
    const settings = h(
      "div",
      { class: "settings" },
      modelChoice(this.store, "model"),
      stagesChoice(this.store),
    );
    return h(
      "div",
      { class: "files" },
      h("section", { class: "pane", "aria-label": "Files" }, h("h2", {}, "Files"), drop, settings),
      h(
        "section",
        { class: "pane", "aria-label": "Results" },
        h("h2", {}, "Results"),
        this.error,
        this.bar,
        this.results,
      ),
    );
  }

  dropZone() {
    const files = this.input({
      multiple: true,
      accept: ".txt,.jsonl,.ndjson,.csv",
      "aria-label": "Files to annotate",
    });
    const folder = this.input({ webkitdirectory: true, "aria-label": "Folder to annotate" });
    const drop = h(
      "div",
      { class: "drop" },
      h("p", {}, h("strong", {}, "Drop files or a folder here")),
      h(
        "p",
        { class: "quiet small" },
        ".txt, a document each · .jsonl, a document a line · .csv with a column “text”. They are sent to this service only.",
      ),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "main", onclick: () => files.click() }, "Choose files"),
        h("button", { type: "button", onclick: () => folder.click() }, "Choose a folder"),
      ),
      files,
      folder,
    );
    drop.ondragover = (event) => {
      event.preventDefault();
      drop.classList.add("over");
    };
    drop.ondragleave = () => drop.classList.remove("over");
    drop.ondrop = async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      await this.start(await droppedFiles(event.dataTransfer));
    };
    return drop;
  }

  input(given) {
    const input = h("input", { type: "file", hidden: true, tabindex: -1, ...given });
    input.onchange = async () => {
      const chosen = chosenFiles(input);
      input.value = "";
      await this.start(chosen);
    };
    return input;
  }

  /** Read files, then annotate what is in them. @param {{name: string, file: File | null}[]} files */
  async start(files) {
    if (!files.length) return;
    if (this.isRunning) {
      say("Other files are being annotated: wait for their end, or cancel.");
      return;
    }
    this.reset();
    await this.run(async () => {
      await this.read(files);
      await this.annotateAll();
    });
  }

  /** Do a job that may be cancelled or break off; what is done stays, and the rest can be gone on with. */
  async run(job) {
    this.isRunning = true;
    this.controller = new AbortController();
    showError(this.error, null);
    this.draw();
    let end = "Done";
    try {
      await job();
    } catch (error) {
      end = error.name === "AbortError" ? "Cancelled" : "Broken off";
      if (error.name !== "AbortError") showError(this.error, error);
    }
    this.isRunning = false;
    const hadFocus = this.bar.contains(document.activeElement);
    this.draw();
    if (hadFocus) (this.goOnButton.hidden ? this.results : this.goOnButton).focus();
    say(`${end}: ${counted(this.done.length, "document")} annotated, ${this.bad.length} not.`);
  }

  async read(files) {
    const known = files.filter(({ name }) => isKnown(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
    this.skipped = files.length - known.length;
    const { signal } = this.controller;
    const { characters } = this.store.get("service").limits;
    const { documents, bad } = await documentsIn(known, { goesOn: () => signal.throwIfAborted() });
    const isLong = ({ text }) => text.length > characters && inCharacters(text) > characters;
    this.given = documents.filter((one) => !isLong(one));
    this.bad = [...bad, ...documents.filter(isLong).map(({ id }) => ({ id, reason: tooLong(characters) }))];
    this.draw();
  }

  /** Annotate what has no answer yet. */
  async annotateAll() {
    const { service, model, stages } = Object.fromEntries(
      ["service", "model", "stages"].map((name) => [name, this.store.get(name)]),
    );
    const most = {
      bytes: Math.min(CHUNK.bytes, service.limits.body_bytes),
      count: Math.min(CHUNK.count, service.limits.documents),
    };
    const path = `/v1/annotate${query({ model })}`;
    // No stage at all is a choice too; without the parameter there would be all.
    const chosen = service.stages.length ? `${path}&stages=${stages.join(",")}` : path;
    for (const some of portions(this.given.slice(this.answered), most)) {
      const end = this.answered + some.length;
      while (this.answered < end) await this.annotateSome(chosen, some.slice(this.answered - end));
    }
  }

  /** Annotate some documents; where they are refused, each by itself. */
  async annotateSome(path, some) {
    try {
      await this.annotateChunk(path, some);
    } catch (error) {
      if (!REFUSED.has(error.status)) throw error;
      if (some.length > 1) for (const one of some) await this.annotateSome(path, [one]);
      else this.take({ error: { id: some[0].id, reason: error.message } });
    }
  }

  async annotateChunk(path, chunk) {
    const body = chunk.map(({ id, text }) => JSON.stringify({ id, text })).join("\n");
    const end = this.answered + chunk.length;
    for await (const line of lines(path, { body, type: NDJSON, signal: this.controller.signal })) {
      this.take(line.error ? { error: { ...line.error, id: this.given[this.answered]?.id } } : line);
      this.drawProgress();
      if (line.error?.is_last) return; // the service gave up; what follows is asked for again
    }
    if (this.answered < end) throw new ServiceError({ title: "No whole answer", detail: CUT });
  }

  /** One line of an answer: a document, or why there is none. */
  take(line) {
    this.answered += 1;
    if (line.error) {
      this.bad.push({ id: line.error.id ?? "–", reason: line.error.reason ?? "it could not be annotated" });
    } else {
      this.entities += line.entities.length;
      this.done.push(line);
    }
  }

  drawProgress() {
    this.bar.hidden = !(this.isRunning || this.given.length || this.bad.length || this.skipped);
    this.progress.max = Math.max(1, this.given.length);
    this.progress.value = this.answered;
    this.cancelButton.hidden = !this.isRunning;
    this.goOnButton.hidden = this.isRunning || this.answered === this.given.length;
    const parts = [
      `${this.done.length} of ${counted(this.given.length, "document")}`,
      counted(this.entities, "entity", "entities"),
    ];
    if (this.bad.length) parts.push(`${this.bad.length} not annotated`);
    if (this.skipped) parts.push(`${counted(this.skipped, "file")} of other kinds left out`);
    this.told.textContent = parts.join(" · ");
  }

  draw() {
    this.drawProgress();
    if (!this.done.length && !this.bad.length) {
      fill(
        this.results,
        h(
          "p",
          { class: "empty" },
          this.isRunning
            ? "Reading …"
            : "Results appear here, with downloads in every format the service writes.",
        ),
      );
      return;
    }
    fill(
      this.results,
      this.done.length > 0 && this.downloads(),
      this.bad.length > 0 && this.badTable(),
      this.table(),
    );
  }

  downloads() {
    const buttons = downloadButtons(
      this.store,
      () => this.done,
      (error) => showError(this.error, error),
    );
    return h("div", { role: "group", "aria-label": "Downloads" }, h("h3", {}, "Download"), buttons);
  }

  badTable() {
    const rows = this.bad
      .slice(0, MOST_ROWS)
      .map(({ id, reason }) => h("tr", {}, h("td", {}, id), h("td", {}, reason)));
    const listed = this.bad.map(({ id, reason }) => `${JSON.stringify({ id, reason })}\n`).join("");
    return h(
      "details",
      { open: true, class: "bad" },
      h("summary", {}, h("h3", {}, counted(this.bad.length, "document"), " not annotated")),
      table("What was wrong", [["Document"], ["Reason"]], rows),
      h(
        "button",
        { type: "button", onclick: () => saveAs(new Blob([listed]), "not-annotated.jsonl") },
        "Save this list",
      ),
    );
  }

  table() {
    const rows = this.done
      .slice(0, MOST_ROWS)
      .map((document) =>
        h(
          "tr",
          {},
          h(
            "td",
            {},
            h(
              "button",
              { type: "button", class: "mention", title: "Read it", onclick: () => this.open(document) },
              document.id,
            ),
          ),
          h("td", { class: "number" }, document.text.length.toLocaleString("en")),
          h("td", { class: "number" }, document.entities.length.toLocaleString("en")),
          h("td", {}, labelsOf(document)),
        ),
      );
    const more =
      this.done.length > MOST_ROWS ? `The first ${MOST_ROWS} are listed; the downloads hold all.` : "";
    const heads = [["Document"], ["Characters", "number"], ["Entities", "number"], ["Most found"]];
    return h("div", {}, table("Documents", heads, rows), h("p", { class: "quiet small" }, more));
  }

  /** Read a document in the first view. */
  open(document) {
    this.store.set({ text: document.text });
    location.hash = "#read";
  }
}

function labelsOf({ entities }) {
  const counts = new Map();
  for (const { label } of entities) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 4)
    .map(([label, count]) => `${words(label)} ${count}`)
    .join(", ");
}
