#!/usr/bin/env node
/**
 * Annotate with a model folder: documents in, a JSON line each out.
 *
 *     node annotate.mjs MODEL [FILE ...] [--utf16] [--labels A,B] [--min-score 0.5] [--beside FOLDER] [--threads N]
 *
 * A FILE ending in .jsonl holds `{"id", "text"}` a line (and `sentences` where they are known), any other is
 * one document; without one, JSON lines are read from standard input.
 */

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";

import { loadModel } from "./medspan.mjs";

const CHUNK_DOCUMENTS = 64;
const OPTIONS = {
  utf16: { type: "boolean", default: false },
  labels: { type: "string" },
  "min-score": { type: "string", default: "0" },
  beside: { type: "string" },
  threads: { type: "string" },
};

/** Documents of files, one after another. */
async function* documentsOf(files) {
  if (!files.length) yield* linesOf(process.stdin, "stdin", "<stdin>");
  for (const file of files) {
    const { name, ext } = path.parse(file);
    if (ext === ".jsonl") yield* linesOf(createReadStream(file), name, file);
    else yield { id: name, text: strict(file)(await readFile(file)) };
  }
}

/** Bytes to text as it stands, piece by piece; what is no UTF-8 is refused, for offsets would not fit it. */
function strict(file) {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return (bytes, options) => {
    try {
      return decoder.decode(bytes, options);
    } catch {
      throw new Error(`${file}: is not UTF-8`);
    }
  };
}

/** Documents of a stream of JSON lines; one without an id is named by its line. */
async function* linesOf(stream, name, file) {
  let number = 0;
  // Not by readline: to it U+2028 inside of a JSON string ends a line.
  let rest = "";
  const decode = strict(file);
  for await (const part of stream) {
    const lines = (rest + decode(part, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      number += 1;
      if (line.trim()) yield documentOf(line, `${name}-${number}`, `${file}:${number}`);
    }
  }
  rest += decode();
  if (rest.trim()) yield documentOf(rest, `${name}-${number + 1}`, `${file}:${number + 1}`);
}

/** @param {string} line @param {string} id where the line names none @param {string} place for errors */
function documentOf(line, id, place) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`${place}: is not JSON`); // the reason of JSON.parse shows the line
  }
  if (typeof value?.text !== "string") throw new Error(`${place}: has no text`);
  return { id: String(value.id ?? id), text: value.text, sentences: value.sentences };
}

/** The number an option gives; undefined where it was not given. */
function numberOf(values, name) {
  const number = values[name]?.trim() === "" ? NaN : Number(values[name] ?? 0);
  if (Number.isNaN(number)) throw new Error(`--${name}: not a number`);
  return values[name] === undefined ? undefined : number;
}

async function main() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [folder, ...files] = positionals;
  if (!folder) throw new Error("name the folder of a model: node annotate.mjs MODEL [FILE ...]");
  const recognizer = await loadModel(folder, {
    beside: values.beside,
    threads: numberOf(values, "threads"),
  });
  const options = {
    offsets: values.utf16 ? "utf16" : "codepoint",
    labels: values.labels?.split(","),
    minScore: numberOf(values, "min-score"),
  };
  let chunk = [];
  const flush = async () => {
    for (const document of await recognizer.annotate(chunk, options)) {
      process.stdout.write(`${JSON.stringify(document)}\n`);
    }
    chunk = [];
  };
  for await (const document of documentsOf(files)) {
    chunk.push(document);
    if (chunk.length >= CHUNK_DOCUMENTS) await flush();
  }
  await flush();
}

process.stdout.on("error", () => process.exit(1)); // whoever read the answers reads no more
main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
