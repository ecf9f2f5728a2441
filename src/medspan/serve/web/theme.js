/** Light, dark, or as the system is; the choice is kept in this browser. */

import { keep, kept } from "./keeping.js";

const KEY = "medspan-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const WORDS = { system: "◐ Auto", light: "☀ Light", dark: "☾ Dark" };

/** @param {HTMLButtonElement} button goes from one to the next */
export function startTheme(button) {
  let theme = kept("localStorage", KEY) ?? "system";
  if (!(theme in NEXT)) theme = "system";
  const apply = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = WORDS[theme];
    button.setAttribute("aria-label", `Colours: ${theme}. Change to ${NEXT[theme]}.`);
  };
  button.onclick = () => {
    theme = NEXT[theme];
    keep("localStorage", KEY, theme);
    apply();
  };
  apply();
}
