/** Files into documents: .txt is one, a line of .jsonl is one, a row of .csv is one. Nothing here calls the service. */

/**
 * @typedef {{id: string, text: string}} Given
 * @typedef {{id: string, reason: string}} Bad
 */

/** Of a file: what a browser can hold as one string. */
const MOST_BYTES = 400e6;
const READERS = { txt: readText, jsonl: readJsonl, ndjson: readJsonl, csv: readCsv };

/** Whether a file is of a kind we read, or of one that is told not to be: a folder nobody may open. */
export const isKnown = (name) => extensionOf(name) in READERS || name.endsWith("/");

const extensionOf = (name) => name.toLowerCase().split(".").at(-1);

/**
 * The text of a file. What is wrong with it is told as the message of an error.
 * @param {File | null} file null where the browser could not open it
 * @param {number} [most] bytes
 * @returns {Promise<string>}
 */
export async function textOf(file, most = Infinity) {
  if (file?.size > most) throw new Error(`it is larger than ${Math.round(most / 1e6)} MB`);
  const bytes = await file?.arrayBuffer().catch(() => null);
  if (!bytes) throw new Error("it cannot be read");
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("it is not text in UTF-8");
  }
  if (text.includes("\0")) throw new Error("it is not text in UTF-8");
  return text;
}

/**
 * The documents of some files, and what of them is none.
 * @param {{name: string, file: File | null}[]} files
 * @param {{goesOn?: () => void}} [options] called before each file, may throw
 * @returns {Promise<{documents: Given[], bad: Bad[]}>}
 */
export async function documentsIn(files, { goesOn = () => {} } = {}) {
  const found = { documents: [], bad: [] };
  for (const { name, file } of files) {
    goesOn();
    try {
      const { documents, bad } = documentsOf(name, await textOf(file, MOST_BYTES));
      for (const document of documents) found.documents.push(document);
      for (const one of bad) found.bad.push(one);
    } catch (error) {
      found.bad.push({ id: name, reason: error.message });
    }
  }
  return { ...found, documents: withOwnIds(found.documents) };
}

/**
 * The documents of a file, and the lines of it that are none.
 * @param {string} name with its folders
 * @param {string} content
 * @returns {{documents: Given[], bad: Bad[]}}
 */
export function documentsOf(name, content) {
  const reader = READERS[extensionOf(name)];
  return reader(name, content.replace(/^\ufeff/, ""));
}

function readText(name, text) {
  return sorted([{ id: name.replace(/\.txt$/i, ""), text }]);
}

function readJsonl(name, content) {
  const lines = content.split("\n").map((line, place) => ({ line, id: `${name}:${place + 1}` }));
  return sorted(lines.filter(({ line }) => line.trim()).map(({ line, id }) => parsed(line, id)));
}

function parsed(line, place) {
  try {
    const value = JSON.parse(line);
    if (typeof value?.text !== "string") return { id: place, reason: "the line has no “text”" };
    return { ...value, id: String(value.id ?? place) };
  } catch {
    return { id: place, reason: "the line is not JSON" };
  }
}

function readCsv(name, content) {
  const [head = [], ...rows] = csvRows(content);
  const names = head.map((one) => one.trim().toLowerCase());
  const text = names.findIndex((one) => one === "text" || one === "note_text");
  const id = names.findIndex((one) => one === "id" || one === "note_id");
  if (text < 0) return { documents: [], bad: [{ id: name, reason: "no column is called “text”" }] };
  return sorted(
    rows.map((row, place) => {
      const own = row[id] || `${name}:${place + 2}`;
      return row[text] === undefined
        ? { id: own, reason: "the row has no text" }
        : { id: own, text: row[text] };
    }),
  );
}

/** Those with a text, and those without, each with a reason. */
function sorted(found) {
  const isBad = ({ reason, text }) => Boolean(reason) || !text.trim();
  return {
    documents: found.filter((one) => !isBad(one)),
    bad: found.filter(isBad).map(({ id, reason }) => ({ id, reason: reason ?? "the document is empty" })),
  };
}

/**
 * Rows of a CSV file (RFC 4180): quoted fields may hold commas, line ends and doubled quotes.
 * @param {string} content
 * @returns {string[][]}
 */
export function csvRows(content) {
  const rows = [];
  let row = [];
  // A field with what ends it: quoted or plain, then a comma, a line end or the end.
  const fields = /(?:"((?:[^"]|"")*)"[^,\r\n]*|([^,\r\n]*))(,|\r\n|\n|\r|$)/gy;
  while (fields.lastIndex < content.length) {
    const [, quoted, plain, end] = fields.exec(content);
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") {
      if (fields.lastIndex === content.length) row.push("");
      else continue;
    }
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return row.length ? [...rows, row] : rows;
}

/**
 * The files below what was dropped, folders included.
 * @param {DataTransfer} transfer
 * @returns {Promise<{name: string, file: File | null}[]>} null where one cannot be opened
 */
export async function droppedFiles(transfer) {
  // Entries must be taken before the first await: the browser forgets them then.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ name: file.name, file }));
  const found = await Promise.all(entries.map((entry) => filesBelow(entry, "")));
  return found.flat();
}

async function filesBelow(entry, folder) {
  const name = folder + entry.name;
  const opened = (open) => new Promise((resolve) => open(resolve, () => resolve(null)));
  if (entry.isFile) return [{ name, file: await opened((give, fail) => entry.file(give, fail)) }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await opened((give, fail) => reader.readEntries(give, fail));
    if (!some) return [...found, { name: `${name}/`, file: null }];
    if (!some.length) return found;
    for (const inner of some) found.push(...(await filesBelow(inner, `${name}/`)));
  }
}

/** The files of an input element, named with their folders. */
export const chosenFiles = (input) =>
  [...input.files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));

/** Ids made different: the second "a" becomes "a-2". @param {Given[]} documents */
export function withOwnIds(documents) {
  const seen = new Set();
  return documents.map((document) => {
    let id = document.id;
    for (let number = 2; seen.has(id); number += 1) id = `${document.id}-${number}`;
    seen.add(id);
    return id === document.id ? document : { ...document, id };
  });
}
