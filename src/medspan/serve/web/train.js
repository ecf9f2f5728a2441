/** Train: a run from the annotated texts, watched while it goes, accepted when it is better. */

import { fill, h, select, table } from "./dom.js";
import { curveFigure, scoreFigure } from "./curve.js";
import { words } from "./labels.js";
import { confirmed, errorBox, say, showError } from "./notices.js";
import { call } from "./api.js";
import { acceptRun, rateAgain, readProject, readTraining, startTraining, stopTraining } from "./project.js";

const EVERY = 1000;
const GOES_ON = new Set(["preparing", "training", "scoring"]);
const STATES = {
  preparing: "Preparing",
  training: "Training",
  scoring: "Scoring on the held-back part",
  done: "Done",
  failed: "Failed",
  stopped: "Stopped",
};
const STARTS = [
  ["model", "the project’s model"],
  ["bilm-bio", "the language model bilm-bio"],
  ["nothing", "nothing"],
];

export class TrainPart {
  /** @param {{annotator: () => string, project: () => any, changed: () => Promise<void>, store: any}} owner */
  constructor(owner) {
    this.owner = owner;
    this.error = errorBox();
    this.minutes = 5;
    this.start = "model";
    this.whose = "";
    this.form = h("div", {});
    this.run = h("div", {});
    this.past = h("div", {});
    this.element = h(
      "div",
      { class: "train" },
      h("section", { class: "pane", "aria-label": "New run" }, this.form),
      h("section", { class: "pane", "aria-label": "Run" }, this.error, this.run, this.past),
    );
  }

  async show() {
    this.drawForm();
    await this.guarded(async () => {
      const project = this.owner.project();
      this.drawPast(project.runs ?? []);
      this.take(project.runs?.length ? await readTraining() : null);
    });
  }

  async guarded(act) {
    try {
      await act();
      showError(this.error, null);
    } catch (error) {
      showError(this.error, error);
    }
  }

  drawForm(isRunning = false) {
    const project = this.owner.project();
    const minutes = h("input", {
      type: "number",
      id: "minutes",
      min: 0.1,
      max: 600,
      step: "any",
      value: this.minutes,
      onchange: (event) => (this.minutes = Number(event.target.value) || 5),
    });
    const people = [["", "everybody"], ...project.annotators.map(({ name }) => [name, name])];
    fill(
      this.form,
      h("h2", {}, "Train"),
      h(
        "p",
        { class: "quiet" },
        `Learns from the texts that are done. ${project.held_back} of ${project.documents} texts are held back: nothing is learnt from them, and they score the model before and after.`,
      ),
      h(
        "div",
        { class: "fields" },
        h("label", { class: "field" }, h("span", {}, "Minutes at most"), minutes),
        select("Marks of", people, this.whose, (name) => (this.whose = name)),
        select("Start from", STARTS, this.start, (start) => (this.start = start)),
      ),
      h(
        "div",
        { class: "row" },
        h(
          "button",
          { type: "button", class: "main", disabled: isRunning, onclick: () => this.begin() },
          "Train",
        ),
        h(
          "button",
          { type: "button", disabled: isRunning, onclick: () => this.rate() },
          "Rate open texts again",
        ),
      ),
    );
  }

  async begin() {
    const asked = { minutes: this.minutes, start: this.start, ...(this.whose && { annotator: this.whose }) };
    await this.guarded(async () => this.take(await startTraining(asked)));
  }

  async rate() {
    await this.guarded(async () => {
      const { rated } = await rateAgain();
      await this.owner.changed();
      say(`${rated} texts were rated with the present model.`);
    });
  }

  /** Show a run, and look again while it goes on. */
  take(run) {
    clearTimeout(this.timer);
    const goesOn = run !== null && GOES_ON.has(run.state);
    this.drawForm(goesOn);
    this.drawRun(run);
    if (goesOn) this.timer = setTimeout(() => this.look(), EVERY);
  }

  async look() {
    if (!this.element.isConnected) return;
    await this.guarded(async () => {
      const run = await readTraining();
      this.take(run);
      if (!GOES_ON.has(run.state)) {
        say(`Run ${run.number}: ${STATES[run.state]}.`);
        this.drawPast((await readProject()).runs ?? []);
      }
    });
  }

  drawRun(run) {
    if (!run) {
      fill(
        this.run,
        h(
          "p",
          { class: "empty" },
          "The learning curve and the scores before and after stand here once a run has begun.",
        ),
      );
      return;
    }
    const goesOn = GOES_ON.has(run.state);
    fill(
      this.run,
      h(
        "div",
        { class: "row head" },
        h("h2", {}, `Run ${run.number}`),
        h("span", { class: `state ${run.state}`, id: "run-state" }, STATES[run.state] ?? run.state),
        h(
          "span",
          { class: "quiet small" },
          `${run.sentences ?? "–"} sentences learnt from, ${run.held_back ?? "–"} held back`,
        ),
        h("span", { class: "push" }),
        goesOn && h("button", { type: "button", onclick: () => this.stop() }, "Stop"),
        run.state === "done" &&
          !run.accepted &&
          h(
            "button",
            { type: "button", class: "main", onclick: () => this.accept(run) },
            "Accept the new model",
          ),
        run.accepted && h("span", { class: "state done" }, "accepted"),
      ),
      run.detail && h("p", { class: run.state === "failed" ? "error-words" : "quiet" }, run.detail),
      run.curve?.length > 0 && curveFigure(run.curve),
      run.curve?.length > 0 &&
        h("p", { class: "quiet" }, "The curve's F1 is of texts it learns from; the held-back part is the fair test."),
      run.after && this.scores(run),
      run.labels && Object.keys(run.labels).length > 0 && this.labelTable(run.labels),
    );
  }

  scores({ before, after }) {
    const rows = [
      ["Before", before],
      ["After", after],
    ]
      .filter(([, score]) => score)
      .map(([name, score]) =>
        h(
          "tr",
          { class: name.toLowerCase() },
          h("th", { scope: "row" }, name),
          h("td", { class: "number" }, h("b", {}, score.f1.toFixed(3))),
          h(
            "td",
            { class: "number" },
            score.interval ? `${score.interval[0].toFixed(3)} to ${score.interval[1].toFixed(3)}` : "–",
          ),
          h("td", { class: "figure" }, scoreFigure(score, name.toLowerCase())),
          h("td", { class: "number" }, score.precision?.toFixed(3) ?? "–"),
          h("td", { class: "number" }, score.recall?.toFixed(3) ?? "–"),
        ),
      );
    const heads = [
      [""],
      ["F1", "number"],
      ["95 % interval", "number"],
      [""],
      ["Precision", "number"],
      ["Recall", "number"],
    ];
    return table("On the held-back part", heads, rows);
  }

  labelTable(labels) {
    const f1 = (value) => (typeof value === "number" ? value : (value?.f1 ?? null));
    const shown = (value) => (value === null ? "–" : value.toFixed(3));
    const rows = Object.entries(labels).map(([label, { before, after }]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, words(label)),
        h("td", { class: "number" }, shown(f1(before))),
        h("td", { class: "number" }, shown(f1(after))),
      ),
    );
    return table("F1 by label", [["Label"], ["Before", "number"], ["After", "number"]], rows);
  }

  drawPast(runs) {
    if (!runs.length) return;
    const rows = runs
      .toReversed()
      .map((run) =>
        h(
          "tr",
          {},
          h("td", {}, `Run ${run.number}`),
          h("td", {}, STATES[run.state] ?? run.state),
          h("td", { class: "number" }, run.before?.f1?.toFixed(3) ?? "–"),
          h("td", { class: "number" }, run.after?.f1?.toFixed(3) ?? "–"),
          h("td", {}, run.accepted ? "accepted" : ""),
        ),
      );
    fill(
      this.past,
      table(
        "All runs",
        [["Run"], ["State"], ["F1 before", "number"], ["F1 after", "number"], ["Accepted"]],
        rows,
      ),
    );
  }

  async stop() {
    await this.guarded(async () => this.take(await stopTraining()));
  }

  async accept(run) {
    const isWorse = run.before && run.after && run.after.f1 < run.before.f1;
    const warning = isWorse ? "On the held-back part it scores lower than the present model. " : "";
    const question = `${warning}Run ${run.number} becomes the project’s model: it suggests from now on, and answers in the other views.`;
    if (!(await confirmed(question, "Accept"))) return;
    await this.guarded(async () => {
      this.take(await acceptRun(run.number));
      const service = await call("/v1/models");
      this.owner.store.set({ service });
      await this.owner.changed();
      this.drawPast(this.owner.project().runs);
      say(`Run ${run.number} was accepted.`);
    });
  }
}
