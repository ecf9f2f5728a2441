/** How far the annotators agree, and where they do not. */

import { latest } from "./api.js";
import { fill, h, refill, table } from "./dom.js";
import { words } from "./labels.js";
import { errorBox, showError } from "./notices.js";
import { readAgreement, readDocument } from "./project.js";

const MOST = 300;
const MOST_READ = 40;
const fixed = (number) => (number === null || number === undefined ? "–" : number.toFixed(3));

export class AgreementPart {
  /** @param {{annotator: () => string, open: (id: string) => void}} owner */
  constructor(owner) {
    this.owner = owner;
    this.run = latest();
    this.error = errorBox();
    this.body = h("div", { class: "stack" });
    this.element = h(
      "section",
      { class: "pane", "aria-label": "Agreement" },
      h("h2", {}, "Agreement"),
      this.error,
      this.body,
    );
  }

  async show() {
    try {
      const found = await this.run(async () => {
        const { pairs, disagreements } = await readAgreement();
        return { pairs, disagreements: await this.withTexts(disagreements.slice(0, MOST)) };
      });
      if (!found) return;
      showError(this.error, null);
      this.draw(found.pairs, found.disagreements);
    } catch (error) {
      showError(this.error, error, () => this.show());
    }
  }

  /** With the name and the words of each place, for as many documents as is quick. */
  async withTexts(disagreements) {
    const ids = [...new Set(disagreements.map(({ id }) => id))].slice(0, MOST_READ);
    const documents = new Map();
    for (const id of ids) documents.set(id, await readDocument(id, this.owner.annotator()));
    return disagreements.map((one) => {
      const document = documents.get(one.id);
      return document ? { ...one, name: document.name, text: document.text.slice(one.start, one.end) } : one;
    });
  }

  draw(pairs, disagreements) {
    if (!pairs.length) {
      fill(
        this.body,
        h(
          "p",
          { class: "empty" },
          "Once two people are done with the same text, F1 and kappa of each pair, and every mark that only one of them made, stand here.",
        ),
      );
      return;
    }
    refill(this.body, this.pairTable(pairs), this.disagreementTable(disagreements));
  }

  pairTable(pairs) {
    const rows = pairs.map(({ a, b, documents, f1, kappa }) =>
      h(
        "tr",
        {},
        h("td", {}, `${a} and ${b}`),
        h("td", { class: "number" }, String(documents)),
        h("td", { class: "number" }, fixed(f1)),
        h("td", { class: "number" }, fixed(kappa)),
      ),
    );
    return table(
      "Pairs",
      [
        ["Who"],
        ["Texts both are done with", "number"],
        ["F1 of marks", "number"],
        ["Cohen’s kappa of words", "number"],
      ],
      rows,
    );
  }

  disagreementTable(disagreements) {
    if (!disagreements.length) return h("p", {}, "They agree on every mark.");
    const rows = disagreements.map((one) =>
      h(
        "tr",
        {},
        h(
          "td",
          {},
          h(
            "button",
            { type: "button", class: "mention", onclick: () => this.owner.open(one.id) },
            one.name ?? one.id,
          ),
        ),
        h("td", {}, one.text ?? `${one.start}–${one.end}`),
        h("td", {}, words(one.label)),
        h("td", {}, one.by.join(", ")),
        h("td", {}, one.not_by.join(", ")),
      ),
    );
    return table(
      "Marks that not all made",
      [["Text"], ["Where"], ["Label"], ["Marked by"], ["Not by"]],
      rows,
    );
  }
}
