/** Model and stages, as the service offers them. */

import { checkbox, fill, h, select } from "./dom.js";
import { words } from "./labels.js";

/** Choice of a model; tells what the model is. */
export function modelChoice(store, name, title = "Model") {
  const { models } = store.get("service");
  const about = h("p", { class: "quiet small" });
  const describe = () => {
    const model = models.find((one) => one.name === store.get(name));
    fill(about, model ? [model.description, model.licence && `Licence: ${model.licence}`].filter(Boolean).join(" · ") : "");
  };
  const choice = select(title, models.map((model) => model.name), store.get(name), (value) => {
    store.set({ [name]: value });
    describe();
  });
  describe();
  return h("div", {}, choice, about);
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
    h("div", { class: "checks" }, stages.map((stage) => checkbox(words(stage), store.get("stages").includes(stage), (isOn) => toggle(stage, isOn)))),
  );
}
