#!/usr/bin/env node
/**
 * A client of medspan serve for the command line of Node; the work is in medspan-client.mjs.
 *
 *     node annotate.mjs URL annotate FILE...       entities: file, start, end, label, mention
 *     node annotate.mjs URL stream FILE.jsonl      {"id", "text"} a line; an answer a line, as it comes
 *     node annotate.mjs URL deidentify FILE...     the text without what identifies people
 *
 * The key, where the service wants one, is read from the environment (MEDSPAN_KEY).
 */

import { readFile } from "node:fs/promises";
import path from "node:path";

import { MedspanClient } from "./medspan-client.mjs";

const print = (line) => process.stdout.write(line);

/** The text of a file as it stands; what is no UTF-8 is refused, for offsets would not fit it. */
async function textOf(file) {
  const bytes = await readFile(file);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`${file}: is not UTF-8`);
  }
}

/** The documents of a file, one JSON object a line; no text of theirs in an error. */
async function documentsOf(file) {
  const documents = [];
  for (const [index, line] of (await textOf(file)).split("\n").entries()) {
    if (!line.trim()) continue;
    try {
      documents.push(JSON.parse(line));
    } catch {
      throw new Error(`${file}:${index + 1}: is not JSON`);
    }
  }
  return documents;
}

const VERBS = {
  async annotate(client, file) {
    const text = await textOf(file);
    const { entities } = await client.annotate(text);
    for (const { start, end, label } of entities) {
      const mention = text.slice(start, end).replace(/\s+/g, " ");
      print(`${[path.basename(file), start, end, label, mention].join("\t")}\n`);
    }
  },

  async stream(client, file) {
    let failed = 0;
    for await (const document of client.stream(await documentsOf(file))) {
      print(`${JSON.stringify(document)}\n`);
      failed += "error" in document;
    }
    if (failed) throw new Error(`${failed} documents could not be annotated: see the lines with an error`);
  },

  async deidentify(client, file) {
    print((await client.deidentify(await textOf(file))).text);
  },
};

const [url, verb, ...files] = process.argv.slice(2);
if (!files.length || !Object.hasOwn(VERBS, verb)) {
  process.stderr.write("node annotate.mjs URL annotate|stream|deidentify FILE...\n");
  process.exit(2);
}
try {
  const client = new MedspanClient(url, { key: process.env.MEDSPAN_KEY });
  for (const file of files) await VERBS[verb](client, file);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
