/** Elements made without markup: text becomes text nodes, styles go through the CSSOM (the CSP allows no others). */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Of `given`, `on…` are listeners, `style` holds CSS properties, `class` the classes, a boolean
 * is an attribute that is there or not, and anything else an attribute.
 * @param {string} tag
 * @param {Record<string, any>} [given]
 * @param {...(Node | string | number | null | undefined | false)} children
 */
export function h(tag, given = {}, ...children) {
  return built(document.createElement(tag), given, children);
}

/** The same for SVG. */
export function svg(tag, given = {}, ...children) {
  return built(document.createElementNS(SVG, tag), given, children);
}

function built(element, given, children) {
  for (const [name, value] of Object.entries(given)) setOne(element, name, value);
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function setOne(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "style") setStyle(element, value);
  else if (name === "value" && "value" in element) element.value = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** @param {HTMLElement | SVGElement} element @param {Record<string, string | number>} properties */
export function setStyle(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, String(value));
}

/** Replace all children. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex='0']";
const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent;

/** Replace all children; the focus stays on what has the same name, else at the same place. */
export function refill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const place = focused && [...element.querySelectorAll(FOCUSABLE)].indexOf(focused);
  fill(element, ...children);
  if (!focused || focused === element) return element;
  const all = [...element.querySelectorAll(FOCUSABLE)];
  const same = all.find((one) => one.tagName === focused.tagName && nameOf(one) === nameOf(focused));
  (same ?? all[Math.min(Math.max(place, 0), all.length - 1)] ?? element).focus({ preventScroll: true });
  return element;
}

/** @param {string} selector */
export const find = (selector, root = document) => root.querySelector(selector);

/** A table with its caption and heads, in a frame that scrolls where it is too narrow; of a head: name and class. */
export function table(caption, heads, rows) {
  const cells = heads.map(([name, kind]) =>
    name ? h("th", { scope: "col", class: kind }, name) : h("td", {}),
  );
  const list = h(
    "table",
    { class: "list" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, cells)),
    h("tbody", {}, rows),
  );
  return h("div", { class: "frame", tabindex: 0, role: "region", "aria-label": caption }, list);
}

/** A number with its noun: "1 entity", "1,204 entities". */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Call `act` once, `wait` milliseconds after the last call. */
export function debounced(act, wait) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), wait);
  };
}

/** Offer a blob as a file. */
export function saveAs(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A check box with its words. */
export function checkbox(words, isOn, onchange, given = {}) {
  const input = h("input", {
    type: "checkbox",
    onchange: (event) => onchange(event.target.checked),
    ...given,
  });
  input.checked = isOn;
  return h("label", { class: "check" }, input, h("span", {}, words));
}

/**
 * A list of which a choice acts at once, and stands at its first line again. Arrow keys and letters open it: on
 * a closed list they would be choices.
 * @param {(value: string) => void} act
 */
export function actionList(words, first, choices, act) {
  const field = select(words, [["", first], ...choices], "", (value) => {
    list.value = "";
    if (value) act(value);
  });
  const list = field.querySelector("select");
  list.addEventListener("keydown", (event) => {
    const isMove = /^(Arrow|Page|Home|End)/.test(event.key) || (event.key.length === 1 && event.key !== " ");
    if (!isMove || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    list.showPicker?.();
  });
  field.classList.add("bare");
  return field;
}

/** A list to choose from. @param {(string | [string, string])[]} choices */
export function select(words, choices, chosen, onchange) {
  const options = choices.map((choice) => {
    const [value, shown] = Array.isArray(choice) ? choice : [choice, choice];
    const option = h("option", { value }, shown);
    option.selected = value === chosen;
    return option;
  });
  const list = h("select", { onchange: (event) => onchange(event.target.value) }, options);
  return h("label", { class: "field" }, h("span", {}, words), list);
}
