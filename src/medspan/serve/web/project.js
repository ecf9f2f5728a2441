/** The routes of the project: documents to annotate, people who do, and what is learnt from them. */

import { call, download, query } from "./api.js";

const ROOT = "/v1/project";
const OFFSETS = { offsets: "utf16" };
const place = (id) => `${ROOT}/documents/${encodeURIComponent(id)}`;

export const readProject = () => call(ROOT);
export const setLabels = (labels) => call(ROOT, { method: "PATCH", json: { labels } });
/** Documents whose offsets are code points. */
export const addDocuments = (documents, split) => call(`${ROOT}/documents`, { json: { documents, split } });
export const listDocuments = (wanted, signal) => call(`${ROOT}/documents${query(wanted)}`, { signal });
export const readDocument = (id, annotator) => call(`${place(id)}${query({ annotator, ...OFFSETS })}`);
export const writeDocument = (id, annotator, json) =>
  call(`${place(id)}${query({ annotator, ...OFFSETS })}`, { method: "PUT", json });
/** @param {"undo" | "redo"} step */
export const stepDocument = (id, annotator, step) =>
  call(`${place(id)}/${step}${query({ annotator, ...OFFSETS })}`, { method: "POST" });
export const readAgreement = () => call(`${ROOT}/agreement${query(OFFSETS)}`);
export const exportProject = (format, annotator) => download(`${ROOT}/export${query({ format, annotator })}`);
export const rateAgain = () => call(`${ROOT}/suggest`, { method: "POST" });
export const startTraining = (json) => call(`${ROOT}/train`, { json });
export const stopTraining = () => call(`${ROOT}/train/stop`, { method: "POST" });
export const readTraining = () => call(`${ROOT}/train`);
export const acceptRun = (number) => call(`${ROOT}/runs/${number}/accept`, { method: "POST" });
