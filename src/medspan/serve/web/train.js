/** Train: a run from the annotated texts, watched while it goes, accepted when it is better. */

import { fill, h, refill, select, table } from "./dom.js";
import { curveFigure, scoreFigure } from "./curve.js";
import { words } from "./labels.js";
import { confirmed, errorBox, say, showError } from "./notices.js";
import { call } from "./api.js";
import { acceptRun, rateAgain, readTraining, startTraining, stopTraining } from "./project.js";

const EVERY = 1000;
const LATER = 3000;
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
    this.goesOn = false;
    this.isBusy = false;
    /** How often a run was asked for, and whether the last question failed. */
    this.turn = 0;
    this.isLost = false;
    /** What is drawn of a run, as JSON. */
    this.drawn = {};
    this.told = h("p", { class: "quiet" });
    this.people = h("div", {});
    const starter = (name, act, kind) =>
      h("button", { type: "button", class: kind, onclick: () => this.goesOn || act() }, name);
    this.starters = [
      starter("Train", () => this.begin(), "main"),
      starter("Rate open texts again", () => this.rate()),
    ];
    this.head = h("div", { class: "row head", tabindex: -1 });
    this.run = h("div", {});
    this.past = h("div", {});
    this.element = h(
      "div",
      { class: "train" },
      this.form(),
      h("section", { class: "pane", "aria-label": "Run" }, this.error, this.head, this.run, this.past),
    );
  }

  async show() {
    this.drawForm();
    const { runs = [] } = this.owner.project();
    this.drawPast(runs);
    await this.ask(() => (runs.length ? readTraining() : null));
  }

  /** Do one thing at a time, and tell what went wrong. */
  async guarded(act) {
    if (this.isBusy) return;
    this.setBusy(true);
    showError(this.error, null);
    try {
      await act();
    } catch (error) {
      showError(this.error, error);
    } finally {
      this.setBusy(false);
    }
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    for (const button of this.starters) {
      button.setAttribute("aria-disabled", String(isBusy || this.goesOn)); // and it keeps the focus
    }
  }

  /** Ask for a run and show it; an answer that a later question overtook is dropped. */
  async ask(question) {
    clearTimeout(this.timer);
    const turn = (this.turn += 1);
    let run = null;
    try {
      run = await question();
      if (turn === this.turn && this.isLost) showError(this.error, null);
      this.isLost = false;
    } catch (error) {
      if (turn === this.turn) this.lost(error);
      return;
    }
    if (turn === this.turn) this.take(run);
  }

  /** What goes on is not known: it is asked again, unless a key was refused. */
  lost(error) {
    this.isLost = true;
    showError(this.error, error);
    if (error.status !== 401) this.timer = setTimeout(() => this.look(), LATER);
  }

  /** The form, which is never drawn anew: somebody may be typing. */
  form() {
    const minutes = h("input", {
      type: "number",
      id: "minutes",
      min: 0.1,
      max: 600,
      step: "any",
      value: this.minutes,
      oninput: (event) => (this.minutes = Number(event.target.value) || 5),
    });
    return h(
      "section",
      { class: "pane", "aria-label": "New run" },
      h("h2", {}, "Train"),
      this.told,
      h(
        "div",
        { class: "fields" },
        h("label", { class: "field" }, h("span", {}, "Minutes at most"), minutes),
        this.people,
        select("Start from", STARTS, this.start, (start) => (this.start = start)),
      ),
      h("div", { class: "row" }, this.starters),
    );
  }

  /** What the form says of the project. */
  drawForm() {
    const { annotators, held_back: heldBack, documents } = this.owner.project();
    this.told.textContent = `Learns from the texts that are done. ${heldBack} of ${documents} texts are held back: nothing is learnt from them, and they score the model before and after.`;
    const people = [["", "everybody"], ...annotators.map(({ name }) => [name, name])];
    if (this.people.childElementCount && this.known === String(people)) return;
    this.known = String(people);
    refill(
      this.people,
      select("Marks of", people, this.whose, (name) => (this.whose = name)),
    );
  }

  async begin() {
    const asked = { minutes: this.minutes, start: this.start, ...(this.whose && { annotator: this.whose }) };
    await this.guarded(() => this.act(() => startTraining(asked)));
  }

  /** Start or stop; where that fails, what goes on is still watched (another window may have begun it). */
  async act(question) {
    try {
      const run = await question();
      await this.ask(() => run);
    } catch (error) {
      if (error.status === 409) await this.look();
      throw error;
    }
  }

  async rate() {
    await this.guarded(async () => {
      const { rated } = await rateAgain();
      await this.owner.changed();
      say(`${rated} texts were rated with the present model.`);
    });
  }

  /** Show a run, and look again while it goes on, whatever part or view is shown. */
  take(run) {
    const went = this.goesOn;
    this.goesOn = run !== null && GOES_ON.has(run.state);
    this.setBusy(this.isBusy);
    this.drawRun(run);
    if (this.goesOn) this.timer = setTimeout(() => this.look(), EVERY);
    else if (went && run) this.ended(run);
  }

  look() {
    return this.ask(readTraining);
  }

  async ended(run) {
    say(`Run ${run.number}: ${STATES[run.state]}.`);
    await this.owner.changed();
    this.drawPast(this.owner.project().runs ?? []);
  }

  /** Draw what differs only: a button that is drawn anew under a finger is not pressed. */
  drawRun(run) {
    const { curve, detail, after, labels, ...head } = run ?? {};
    const drawn = { head: JSON.stringify(head), rest: JSON.stringify([curve, detail, after, labels]) };
    if (drawn.head !== this.drawn.head) this.drawRunHead(run);
    if (drawn.rest !== this.drawn.rest || drawn.head !== this.drawn.head) this.drawRunRest(run);
    this.drawn = drawn;
  }

  drawRunHead(run) {
    if (!run) {
      fill(this.head);
      return;
    }
    const learnt = `${run.sentences ?? "–"} sentences learnt from, ${run.held_back ?? "–"} held back`;
    const button = (name, act, kind) => h("button", { type: "button", class: kind, onclick: act }, name);
    refill(
      this.head,
      h("h2", {}, `Run ${run.number}`),
      h("span", { class: `state ${run.state}`, id: "run-state" }, STATES[run.state] ?? run.state),
      h("span", { class: "quiet small" }, learnt),
      h("span", { class: "push" }),
      this.goesOn && button("Stop", () => this.stop()),
      run.state === "done" && !run.accepted && button("Accept the new model", () => this.accept(run), "main"),
      run.accepted && h("span", { class: "state done" }, "accepted"),
    );
  }

  drawRunRest(run) {
    if (!run) {
      const words = "The learning curve and the scores before and after stand here once a run has begun.";
      fill(this.run, h("p", { class: "empty" }, words));
      return;
    }
    fill(
      this.run,
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
    await this.guarded(() => this.act(stopTraining));
  }

  async accept(run) {
    const isWorse = run.before && run.after && run.after.f1 < run.before.f1;
    const warning = isWorse ? "On the held-back part it scores lower than the present model. " : "";
    const question = `${warning}Run ${run.number} becomes the project’s model: it suggests from now on, and answers in the other views.`;
    if (!(await confirmed(question, "Accept"))) return;
    await this.guarded(async () => {
      await this.act(() => acceptRun(run.number));
      const service = await call("/v1/models");
      this.owner.store.set({ service });
      await this.owner.changed();
      this.drawPast(this.owner.project().runs);
      say(`Run ${run.number} was accepted.`);
    });
  }
}
