/** Changes of one text on their way to the service: one after the other, and none is forgotten. */

import { readDocument, stepDocument, writeDocument } from "./project.js";
import { isSame } from "./spans.js";

/**
 * @typedef {object} Owner
 * @property {() => string} annotator
 * @property {() => any} document as the service gave it last; null where none is open
 * @property {(document: any) => void} kept the service has what was given to `save`
 * @property {(document: any) => void} replaced the service gave other marks: after a step, or of another window
 * @property {(error: any) => void} failed it could not be saved; with status 409 another window was first
 */

export class Saving {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    /** Ends when all that was asked for so far is over; never fails. */
    this.over = Promise.resolve();
    this.waiting = 0;
    this.isStepping = false;
    /** What is done after the step. @type {(() => void)[]} */
    this.later = [];
    this.begin("open");
  }

  /** A text as the service has it: what was made of another, or of an earlier state, is not sent any more. */
  begin(state) {
    this.from = {};
    this.state = state;
    /** What the service does not have yet, though it was sent. */
    this.unsaved = null;
    this.isEnding = false;
  }

  /** Whether something would be lost if the page were left now. */
  get isOpen() {
    return this.waiting > 0 || this.unsaved !== null;
  }

  /** Save a list of marks. @returns {Promise<boolean>} whether the service has it */
  save(marks, state) {
    const { from } = this;
    const { id } = this.owner.document();
    const json = { entities: marks.map(({ label, start, end }) => ({ label, start, end })), state };
    this.state = state;
    return this.#next(() => from === this.from && this.#send(id, json));
  }

  /** Send again what could not be saved. */
  again() {
    const { entities, state } = this.unsaved;
    return this.save(entities, state);
  }

  /** Wait until everything is saved; what could not be is tried once more. @returns {Promise<boolean>} */
  async settled() {
    let over = null;
    while (over !== this.over) {
      ({ over } = this);
      await over;
    }
    if (this.unsaved) await this.again();
    return !this.unsaved;
  }

  /** Undo or redo. @param {"undo" | "redo"} step @returns {Promise<boolean>} whether there was something to */
  async step(step) {
    this.isStepping = true;
    try {
      return await this.#next(() => this.#step(step));
    } finally {
      this.isStepping = false;
      while (this.later.length && !this.isStepping) this.later.shift()();
    }
  }

  /** Call `act`; after a step that is on its way, as it is meant for what comes of it. */
  afterStep(act) {
    if (this.isStepping) this.later.push(act);
    else act();
  }

  /** @param {() => Promise<boolean> | boolean} act what fails in it is told, and stops nothing that follows */
  #next(act) {
    this.waiting += 1;
    const ended = this.over.then(act).catch((error) => {
      this.owner.failed(error);
      return false;
    });
    this.over = ended.then(() => {
      this.waiting -= 1;
    });
    return ended;
  }

  async #send(id, json) {
    const { revision } = this.owner.document();
    try {
      const saved = await writeDocument(id, this.owner.annotator(), { ...json, revision });
      this.unsaved = null;
      this.owner.kept(saved);
      return true;
    } catch (error) {
      this.unsaved = json;
      if (error.status === 409) return this.#compare(id, json, error);
      throw error;
    }
  }

  /** It was saved since: by another window, or by us, who did not get the answer. */
  async #compare(id, { entities, state }, error) {
    const present = await readDocument(id, this.owner.annotator());
    this.unsaved = null;
    const isOurs =
      present.state === state &&
      present.entities.length === entities.length &&
      entities.every((mark) => present.entities.some((one) => isSame(one, mark)));
    if (isOurs) {
      this.owner.kept(present);
      return true;
    }
    this.owner.replaced(present);
    throw error;
  }

  async #step(step) {
    if (this.unsaved) {
      const { id } = this.owner.document();
      if (!(await this.#send(id, this.unsaved))) return false;
    }
    const document = this.owner.document();
    if (!document?.[`can_${step}`]) return false;
    this.owner.replaced(await stepDocument(document.id, this.owner.annotator(), step));
    return true;
  }
}
