/** The keys of the annotation view: from an event to the name of what is done. */

import { h } from "./dom.js";

/** What is shown to the user: keys and what they do. */
export const HELP = [
  [["←", "→", "↑", "↓"], "go from word to word"],
  [["Shift", "← →"], "cover more words"],
  [["Home", "End"], "go to the first or last word"],
  [["1", "…"], "label what is covered, or change the chosen mark"],
  [["Ctrl", "← →"], "choose the mark before or after"],
  [["Alt", "← →"], "move the end of the chosen mark"],
  [["Alt", "Shift", "← →"], "move its start"],
  [["Del"], "delete the chosen mark"],
  [["A"], "accept the chosen suggestion, or the next one"],
  [["Enter"], "done, and on to the next text"],
  [["S"], "skip this text"],
  [["Ctrl", "Z"], "undo"],
  [["Ctrl", "Shift", "Z"], "redo"],
  [["Esc"], "choose nothing"],
];

const PLAIN = {
  Home: ["edge", -1],
  End: ["edge", 1],
  Delete: ["remove"],
  Backspace: ["remove"],
  Enter: ["done"],
  Escape: ["release"],
  a: ["accept"],
  s: ["skip"],
};

/**
 * What a key means: a name and what it is given; null where it means nothing here.
 * @param {KeyboardEvent} event
 * @param {Map<string, string>} labels by key
 * @returns {[string, ...any[]] | null}
 */
export function meaningOf(event, labels) {
  const isCommand = event.ctrlKey || event.metaKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (isCommand && key === "z") return [event.shiftKey ? "redo" : "undo"];
  if (isCommand && key === "y") return ["redo"];
  const arrow = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[key];
  if (arrow) return arrowMeaning(event, arrow, isCommand);
  if (isCommand || event.altKey) return null;
  if (labels.has(key)) return ["label", labels.get(key)];
  return PLAIN[key] ?? null;
}

function arrowMeaning(event, by, isCommand) {
  const isAcross = event.key === "ArrowLeft" || event.key === "ArrowRight";
  if (event.altKey) return isAcross ? ["border", event.shiftKey ? "start" : "end", by] : null;
  if (isCommand) return isAcross ? ["choose", by] : null;
  return [isAcross ? "word" : "line", by, event.shiftKey];
}

/** The table of keys. */
export function keysHelp(id) {
  const rows = HELP.map(([keys, does]) =>
    h("tr", {}, h("td", {}, keys.map((key) => [h("kbd", {}, key), " "]).flat()), h("td", {}, does)),
  );
  return h(
    "details",
    { class: "keys", id },
    h("summary", {}, h("h3", {}, "Keys")),
    h("table", { class: "list" }, h("tbody", {}, rows)),
  );
}
