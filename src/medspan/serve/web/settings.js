/** Model and stages, as the service offers them. */

import { checkbox, fill, h, select } from "./dom.js";
import { words } from "./labels.js";

/** Choice of a model; tells what the model is. Models that are offered later appear too. */
export function modelChoice(store, name, title = "Model") {
  const element = h("div", {});
  const draw = () => {
    const { models } = store.get("service");
    const model = models.find((one) => one.name === store.get(name));
    const choice = select(
      title,
      models.map((one) => one.name),
      store.get(name),
      (value) => store.set({ [name]: value }),
    );
    const about =
      model && [model.description, model.licence && `Licence: ${model.licence}`].filter(Boolean).join(" · ");
    const hadFocus = element.contains(document.activeElement);
    fill(element, choice, h("p", { class: "quiet small" }, about));
    if (hadFocus) element.querySelector("select").focus();
  };
  store.on(["service", name], draw);
  draw();
  return element;
}

/** Check boxes for the stages that follow the entities. */
export function stagesChoice(store) {
  const { stages } = store.get("service");
  if (!stages.length) return null;
  const toggle = (stage, isOn) =>
    store.set({ stages: stages.filter((one) => (one === stage ? isOn : store.get("stages").includes(one))) });
  return h(
    "fieldset",
    {},
    h("legend", {}, "Stages"),
    h(
      "div",
      { class: "checks" },
      stages.map((stage) =>
        checkbox(words(stage), store.get("stages").includes(stage), (isOn) => toggle(stage, isOn)),
      ),
    ),
  );
}
