/** What the page tells: a line for those who listen, errors with their request id, and the dialog for a key. */

import { fill, find, h } from "./dom.js";

/** Say something in the status line (aria-live: polite). @param {string} words */
export function say(words) {
  find("#status").textContent = words;
}

/**
 * Show an error in a box, with what the service told; nothing clears it.
 * @param {Element} box
 * @param {() => void} [again] what a button does that tries once more
 */
export function showError(box, error, again) {
  if (!error) {
    box.hidden = true;
    fill(box);
    return;
  }
  const status = error.status ? `${error.status} ` : "";
  box.hidden = false;
  fill(
    box,
    h("strong", {}, `${status}${error.title || "That did not work"}`),
    h("p", {}, error.detail || error.message),
    error.requestId && h("p", { class: "quiet" }, "Request ", h("code", {}, error.requestId)),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}

/** A place for errors. */
export const errorBox = () => h("div", { class: "error", role: "alert", hidden: true });

/** Ask for the key of the service; null where the user gives none. @returns {Promise<string | null>} */
export function askKey(wasWrong) {
  const dialog = find("#key-dialog");
  const input = find("#key");
  find("#key-wrong").hidden = !wasWrong;
  input.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const done = (key) => {
      dialog.close();
      resolve(key);
    };
    find("#key-form").onsubmit = (event) => {
      event.preventDefault();
      done(input.value.trim() || null);
    };
    find("#key-cancel").onclick = () => done(null);
    dialog.oncancel = () => resolve(null);
  });
}

/** Ask before something that cannot be taken back. @returns {Promise<boolean>} */
export function confirmed(question, act) {
  const yes = h("button", { type: "submit", class: "main" }, act);
  const no = h("button", { type: "button" }, "Cancel");
  const form = h("form", {}, h("p", {}, question), h("div", { class: "row" }, yes, no));
  const dialog = h("dialog", { "aria-label": act }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    const done = (isSure) => {
      dialog.remove();
      resolve(isSure);
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      done(true);
    };
    no.onclick = () => done(false);
    dialog.oncancel = () => done(false);
  });
}
