/** The box for the text, which the views share: paste, drop or open a file, or take an invented example. */

import { h, select } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { say } from "./notices.js";

/**
 * @param {ReturnType<import("./store.js").createStore>} store holds `text`
 * @param {{label?: string, rows?: number}} [options]
 */
export function createEditor(store, { label = "Text", rows = 12 } = {}) {
  const area = h("textarea", {
    rows,
    spellcheck: "false",
    "aria-label": label,
    placeholder: "Paste or type a note here, or drop a .txt file.",
    oninput: () => store.set({ text: area.value }),
  });
  const element = h("div", { class: "editor" }, toolbar(store), area);
  acceptDrops(element, (text) => store.set({ text }));
  const take = () => {
    if (area.value !== store.get("text")) area.value = store.get("text");
  };
  store.on(["text"], take);
  take();
  return { element, area };
}

/** The editor, folded where there is a text already: for views that show the text beside it. */
export function foldedEditor(store) {
  return h(
    "details",
    { class: "pane giver", open: !store.get("text") },
    h("summary", {}, h("h2", {}, "Text")),
    createEditor(store, { rows: 8 }).element,
  );
}

/** Fold it, as there is a result to see; not under the hands of somebody who types in it. */
export function fold(editor) {
  if (editor.querySelector("textarea") === document.activeElement) return;
  const hadFocus = editor.contains(document.activeElement);
  editor.open = false;
  if (hadFocus) editor.querySelector("summary").focus();
}

function toolbar(store) {
  const file = h("input", {
    type: "file",
    accept: ".txt,text/plain",
    hidden: true,
    "aria-label": "Text file",
    tabindex: -1,
  });
  file.onchange = async () => {
    if (file.files.length) store.set({ text: await textOf(file.files[0]) });
    file.value = "";
  };
  const choices = [["", "Example …"], ...EXAMPLES.map(({ name }) => [name, name])];
  const examples = select("Example", choices, "", (name) => {
    const found = EXAMPLES.find((example) => example.name === name);
    if (found) store.set({ text: found.text });
    examples.querySelector("select").value = "";
  });
  examples.classList.add("bare");
  return h(
    "div",
    { class: "row tools" },
    examples,
    h("button", { type: "button", onclick: () => file.click() }, "Open …"),
    h("button", { type: "button", onclick: () => store.set({ text: "" }) }, "Clear"),
    file,
  );
}

/** Let files be dropped on an element. */
function acceptDrops(element, give) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", async (event) => {
    element.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    give(await textOf(file));
  });
}

async function textOf(file) {
  say(`Opened ${file.name}.`);
  return (await file.text()).replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
}

/** What stands where there is no text yet: one sentence and the example, one click away. */
export function emptyState(store, words) {
  return h(
    "div",
    { class: "empty" },
    h("p", {}, words),
    h(
      "button",
      { type: "button", class: "main", onclick: () => store.set({ text: EXAMPLES[0].text }) },
      "Try an invented note",
    ),
  );
}
