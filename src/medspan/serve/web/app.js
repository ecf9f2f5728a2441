/** The page: asks what the service offers, then shows the view that the address names. */

import * as annotate from "./annotate.js";
import { call, connect } from "./api.js";
import * as compare from "./compare.js";
import * as deid from "./deid.js";
import { fill, find, h } from "./dom.js";
import * as files from "./files.js";
import { askKey, say, showError } from "./notices.js";
import * as read from "./read.js";
import { createStore } from "./store.js";
import { startTheme } from "./theme.js";

const VIEWS = [
  { name: "read", title: "Read", mount: read.mount, isOffered: () => true },
  { name: "files", title: "Files", mount: files.mount, isOffered: () => true },
  {
    name: "deid",
    title: "De-identify",
    mount: deid.mount,
    isOffered: ({ policies }) => policies?.length > 0,
  },
  { name: "compare", title: "Compare", mount: compare.mount, isOffered: () => true },
  {
    name: "annotate",
    title: "Annotate",
    mount: annotate.mount,
    isOffered: ({ project }) => project === true,
  },
];

/** Views that stand in the page already, by name. @type {Map<string, HTMLElement>} */
const mounted = new Map();

async function start() {
  startTheme(find("#theme"));
  connect({
    askKey,
    tellWaiting: (seconds) => say(`The service is busy; trying again in ${Math.ceil(seconds)} s.`),
  });
  find("#skip").onclick = (event) => {
    event.preventDefault();
    find("#main").focus();
  };
  keepFilesOut();
  try {
    begin(await call("/v1/models"));
  } catch (error) {
    showError(find("#start-error"), error);
  }
}

/** A file dropped beside the boxes would be opened by the browser in the place of the page. */
function keepFilesOut() {
  for (const name of ["dragover", "drop"]) {
    addEventListener(name, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
  }
}

function begin(service) {
  const model = service.default ?? service.models[0]?.name;
  const other = service.models.find(({ name }) => name !== model)?.name ?? model;
  const store = createStore({
    service,
    text: "",
    model,
    modelA: model,
    modelB: other,
    stages: service.stages ?? [],
    policy: service.policies?.[0],
  });
  const views = VIEWS.filter(({ isOffered }) => isOffered(service));
  find("#version").textContent = `medspan ${service.version ?? ""} · nothing you type leaves this service`;
  const show = () => route(views, store);
  addEventListener("hashchange", () => {
    show();
    find("#main").focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  show();
}

/** Show the view the hash names: `#annotate/train` is the part `train` of `annotate`. */
function route(views, store) {
  const [name, part] = location.hash.slice(1).split("/");
  const view = views.find((one) => one.name === name) ?? views[0];
  document.title = `${view.title} · medspan`;
  fill(
    find("#tabs"),
    views.map((one) =>
      h("a", { href: `#${one.name}`, "aria-current": one === view ? "page" : null }, one.title),
    ),
  );
  if (!mounted.has(view.name)) mounted.set(view.name, mountView(view, store));
  for (const [other, element] of mounted) element.hidden = other !== view.name;
  store.set({ view: view.name, part: part ?? "" });
}

function mountView(view, store) {
  const element = h(
    "div",
    { class: "view", id: `view-${view.name}` },
    h("h1", { class: "unseen" }, view.title),
  );
  find("#main").append(element);
  view.mount(element, store);
  return element;
}

start();
