/** The box for the text, which the views share: paste, drop or open a file, or take an invented example. */

import { actionList, h } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { textOf } from "./file-reading.js";
import { say } from "./notices.js";

/** Of a character in UTF-8. */
const MOST_BYTES = 4;

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
  acceptDrops(element, (file) => open(store, file));
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
    const [chosen] = file.files;
    file.value = "";
    if (chosen) await open(store, chosen);
  };
  const names = EXAMPLES.map(({ name }) => [name, name]);
  const examples = actionList("Example", "Example …", names, (name) =>
    store.set({ text: EXAMPLES.find((example) => example.name === name).text }),
  );
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
  element.addEventListener("drop", (event) => {
    element.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    give(file);
  });
}

/** Take the text of a file, unless something else was typed or opened while it was read. */
async function open(store, file) {
  const before = store.get("text");
  const most = (store.get("service").limits?.characters ?? Infinity) * MOST_BYTES;
  try {
    const text = (await textOf(file, most)).replaceAll("\r\n", "\n");
    if (store.get("text") !== before) return;
    store.set({ text });
    say(`Opened ${file.name}.`);
  } catch (error) {
    say(`${file.name} was not opened: ${error.message}.`);
  }
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
