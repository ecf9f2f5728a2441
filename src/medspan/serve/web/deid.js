/** De-identify: the given text and the new one side by side. */

import { mapped, marksOf } from "./align.js";
import { call, latest } from "./api.js";
import { counted, debounced, fill, h, saveAs } from "./dom.js";
import { emptyState, fold, foldedEditor } from "./editor.js";
import { hue, words } from "./labels.js";
import { errorBox, say, showError } from "./notices.js";
import { TextView } from "./textview.js";

const WAIT = 300;
const POLICIES = { redact: "Redact", surrogate: "Surrogates" };
const NOTE =
  "No program makes notes anonymous. This one misses some identifiers, and what is left of a story may still tell who somebody is: let a person read every text before it is given on.";

export function mount(root, store) {
  const view = new DeidView(store);
  root.append(view.element);
}

class DeidView {
  constructor(store) {
    this.store = store;
    this.run = latest();
    this.error = errorBox();
    this.counts = h("ul", { class: "counts", "aria-label": "What was found" });
    this.body = h("div", {});
    this.given = this.side();
    this.renewed = this.side();
    /** The last question, and the one whose answer is drawn, as JSON. */
    this.asked = null;
    this.drawn = null;
    this.outputs = [
      // There is no clipboard where the page comes over plain HTTP from another machine.
      navigator.clipboard && h("button", { type: "button", onclick: () => this.copy() }, "Copy"),
      h("button", { type: "button", onclick: () => this.save() }, "Save"),
    ].filter(Boolean);
    this.pair(this.given, this.renewed, 0);
    this.pair(this.renewed, this.given, 1);
    this.element = this.build();
    const stale = () => store.get("view") === "deid" && this.ask();
    store.on(["text"], debounced(stale, WAIT));
    store.on(["policy", "view"], stale);
    store.on(["text", "policy"], () => this.mark());
  }

  build() {
    this.giver = foldedEditor(this.store);
    return h(
      "div",
      { class: "stack" },
      h("p", { class: "note", role: "note" }, NOTE),
      this.giver,
      h(
        "section",
        { class: "pane", "aria-label": "Given and new text" },
        h("div", { class: "row head" }, h("h2", {}, "Identifiers"), this.switch(), this.counts),
        this.error,
        this.body,
      ),
    );
  }

  /** Buttons of which one is pressed: what becomes of what is found. */
  switch() {
    const { policies } = this.store.get("service");
    const buttons = policies.map((policy) =>
      h(
        "button",
        { type: "button", "data-policy": policy, onclick: () => this.store.set({ policy }) },
        POLICIES[policy] ?? words(policy),
      ),
    );
    const press = () => {
      for (const button of buttons)
        button.setAttribute("aria-pressed", String(button.dataset.policy === this.store.get("policy")));
    };
    this.store.on(["policy"], press);
    press();
    return h("div", { class: "group", role: "group", "aria-label": "What becomes of them" }, buttons);
  }

  side() {
    const text = h("div", { class: "text", dir: "auto" });
    const view = new TextView(text, {
      onShow: (mark, index) => this.show(view, index),
      onHide: () => this.hide(),
    });
    const frame = h("div", { class: "scrolled", tabindex: 0, role: "region" }, text);
    return { text, view, frame, /** where it was scrolled to along with the other side */ followed: null };
  }

  /** Scroll the other side along; `column` says which height of a pair is this side's. */
  pair(own, other, column) {
    own.frame.addEventListener("scroll", () => {
      if (!this.pairs || own.frame.scrollTop === own.followed) return; // it was the other that was scrolled
      own.followed = null;
      const pairs = column ? this.pairs().map(([a, b]) => [b, a]) : this.pairs();
      other.frame.scrollTop = mapped(pairs)(own.frame.scrollTop);
      other.followed = other.frame.scrollTop;
    });
  }

  /** What is asked for now, as JSON. */
  get question() {
    return JSON.stringify([this.store.get("text"), this.store.get("policy")]);
  }

  /** Show whether the new text is that of what stands in the box now; only then it may go on. */
  mark() {
    const isOld = this.drawn !== null && this.drawn !== this.question;
    for (const output of this.outputs) output.disabled = isOld;
    this.body.setAttribute("aria-busy", String(isOld));
  }

  async ask() {
    const [text, policy] = [this.store.get("text"), this.store.get("policy")];
    const { question } = this;
    if (question === this.asked) return;
    this.asked = question;
    if (!text.trim()) {
      await this.run(async () => null);
      this.drawEmpty();
      return;
    }
    try {
      const answer = await this.run((signal) =>
        call("/v1/deidentify", { json: { text, policy, offsets: "utf16" }, signal }),
      );
      if (answer) this.take(answer, text, question);
    } catch (error) {
      this.fail(error);
    }
  }

  /** What is drawn is of another text or policy: it goes. */
  fail(error) {
    this.asked = null;
    this.clear();
    showError(this.error, error, () => this.ask());
  }

  take({ documents: [document], errors }, text, question) {
    if (!document) {
      this.fail({ title: "This text could not be de-identified", detail: errors?.[0]?.reason });
      return;
    }
    showError(this.error, null);
    const { given, renewed } = marksOf(document.changes ?? []);
    this.given.view.draw({ text, entities: given });
    this.renewed.view.draw({ text: document.text, entities: renewed });
    this.pairs = () => this.heights(given);
    this.newText = document.text;
    this.drawn = question;
    this.drawCounts(given);
    this.drawSides();
    this.mark();
    say(`${counted(given.length, "identifier")} found and replaced.`);
  }

  drawSides() {
    if (this.body.contains(this.given.frame)) return;
    this.given.frame.setAttribute("aria-label", "Given text");
    this.renewed.frame.setAttribute("aria-label", "New text");
    const hadFocus = this.body.contains(document.activeElement);
    fill(
      this.body,
      h(
        "div",
        { class: "sides" },
        h("div", {}, h("div", { class: "row head" }, h("h3", {}, "Given")), this.given.frame),
        h(
          "div",
          {},
          h("div", { class: "row head" }, h("h3", {}, "New"), h("span", { class: "push" }), this.outputs),
          this.renewed.frame,
        ),
      ),
    );
    if (hadFocus) this.given.frame.focus({ preventScroll: true });
    fold(this.giver);
  }

  save() {
    saveAs(new Blob([this.newText], { type: "text/plain" }), "deidentified.txt");
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.newText);
      say("The new text is on the clipboard.");
    } catch {
      say("The browser did not let the text onto the clipboard; save it instead.");
    }
  }

  drawCounts(entities) {
    const counts = new Map();
    for (const { label } of entities) counts.set(label, (counts.get(label) ?? 0) + 1);
    const items = [...counts]
      .sort((a, b) => b[1] - a[1])
      .map(([label, count]) =>
        h("li", {}, h("span", { class: "swatch", style: { "--h": hue(label) } }, words(label)), ` ${count}`),
      );
    fill(this.counts, items.length ? items : h("li", { class: "quiet" }, "nothing found"));
  }

  /** Nothing is drawn. */
  clear() {
    this.drawn = null;
    this.newText = "";
    fill(this.counts);
    fill(this.body);
    this.mark();
  }

  drawEmpty() {
    showError(this.error, null);
    this.clear();
    const words =
      "The text as it is given and as it may go on stand side by side here; what was found is marked in both.";
    fill(this.body, emptyState(this.store, words));
    this.giver.open = true;
  }

  /** Heights of the same places in both texts: top, each change, bottom. */
  heights(given) {
    const found = given
      .map((entity, index) => [this.given.view.markOf(index), this.markOf(this.renewed.view, entity.change)])
      .filter(([a, b]) => a && b)
      .map(([a, b]) => [a.offsetTop, b.offsetTop]);
    const bottom = ({ frame }) => frame.scrollHeight - frame.clientHeight;
    const ends = [bottom(this.given), bottom(this.renewed)];
    const inside = found.filter(([a, b]) => a < ends[0] && b < ends[1]);
    return [[0, 0], ...inside, ends];
  }

  markOf(view, change) {
    return view.markOf(view.entities.findIndex((entity) => entity.change === change));
  }

  /** Bring out a change on the other side too. */
  show(view, index) {
    const { change } = view.entities[index];
    this.hide();
    const other = view === this.given.view ? this.renewed : this.given;
    this.markOf(other.view, change)?.classList.add("twin");
  }

  hide() {
    for (const twin of this.element.querySelectorAll(".twin")) twin.classList.remove("twin");
  }
}
