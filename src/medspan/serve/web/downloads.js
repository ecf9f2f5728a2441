/** Documents as files: JSONL is written here, every other format by the service. */

import { download } from "./api.js";
import { actionList, h, saveAs } from "./dom.js";
import { say } from "./notices.js";

const SHOWN = {
  jsonl: "JSONL",
  brat: "brat",
  table: "CSV table",
  html: "HTML",
  conll: "CoNLL",
  pubtator: "PubTator",
  bioc_json: "BioC JSON",
  bioc_xml: "BioC XML",
  omop: "OMOP NOTE_NLP",
  fhir: "FHIR",
  text: "Plain text",
  "i2b2-2009": "i2b2 2009",
};

/** @param {string} format */
export const formatName = (format) => SHOWN[format] ?? format;

/** The formats on offer, those people ask for most first. */
export function formatsOf(service) {
  const known = Object.keys(SHOWN);
  const rank = (format) => (known.includes(format) ? known.indexOf(format) : known.length);
  return [...service.formats].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** A list of formats that downloads what `documents` gives (offsets in code points). */
export function downloadMenu(store, documents, onError = (error) => say(error.message)) {
  const formats = formatsOf(store.get("service")).map((format) => [format, formatName(format)]);
  return actionList("Download as", "Download …", formats, async (format) => {
    try {
      await downloadAs(store, documents(), format);
    } catch (error) {
      onError(error);
    }
  });
}

/** Convert and save; several files where one body would be larger than the service takes. */
export async function downloadAs(store, documents, format) {
  if (!documents.length) {
    say("There is nothing to download yet.");
    return;
  }
  if (format === "jsonl") {
    const text = documents.map((document) => `${JSON.stringify(document)}\n`).join("");
    saveAs(new Blob([text], { type: "application/x-ndjson" }), "medspan.jsonl");
    say(`Saved ${documents.length} as medspan.jsonl.`);
    return;
  }
  const { limits } = store.get("service");
  for (const part of portions(documents, {
    bytes: (limits.body_bytes ?? 1 << 24) * 0.9,
    count: limits.documents ?? 1000,
  })) {
    const { blob, name } = await download("/v1/convert", { json: { documents: part, format } });
    saveAs(blob, name);
    say(`Saved ${name}.`);
  }
}

/**
 * Documents in portions of at most so many, and about so many bytes of JSON.
 * @template T
 * @param {T[]} documents
 * @param {{bytes: number, count: number}} most
 * @returns {T[][]}
 */
export function portions(documents, most) {
  const parts = [];
  let size = Infinity;
  for (const document of documents) {
    // A character has at most three bytes of UTF-8 for each UTF-16 unit.
    const bytes = JSON.stringify(document).length * 3;
    if (size + bytes > most.bytes || parts.at(-1).length >= most.count) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1).push(document);
    size += bytes;
  }
  return parts;
}

/** Buttons, one a format. */
export function downloadButtons(store, documents, onError) {
  return h(
    "div",
    { class: "row" },
    formatsOf(store.get("service")).map((format) =>
      h(
        "button",
        { type: "button", onclick: () => downloadAs(store, documents(), format).catch(onError) },
        formatName(format),
      ),
    ),
  );
}
