/** A client of medspan serve: needs `fetch` alone, so it runs in Node 18 or newer, Deno, Bun and browsers. */

const TRIES = 6;
const BUSY = new Set([429, 503]);
const LINES = "application/x-ndjson";

/** What the service answered instead of what was asked for. */
export class MedspanError extends Error {
  /** @param {number} status @param {{title?: string, detail?: string, request_id?: string}} problem */
  constructor(status, problem) {
    super(`${status} ${problem.title}: ${problem.detail} (request ${problem.request_id})`);
    this.status = status;
    this.requestId = problem.request_id;
  }
}

/**
 * @typedef {{id: string, label: string, start: number, end: number, text: string, score?: number}} Entity
 * @typedef {{id: string, text: string, entities: Entity[]}} Document
 */

/** Offsets are asked for in UTF-16, which is what JavaScript's strings count: `text.slice(start, end)`. */
export class MedspanClient {
  /**
   * @param {string} url of the service; in a page that the service itself sends, `location.origin`
   * @param {{key?: string}} [options]
   */
  constructor(url, { key } = {}) {
    this.url = url.replace(/\/?$/, "/");
    this.headers = key ? { Authorization: `Bearer ${key}` } : {};
  }

  /**
   * The document of one text, with its entities.
   * @param {string} text
   * @param {object} [options] of /v1/annotate: model, labels, min_score, stages
   * @returns {Promise<Document>}
   */
  async annotate(text, options = {}) {
    return this.only("v1/annotate", { text, offsets: "utf16", ...options });
  }

  /**
   * A text without what identifies people: `text` is the new one, `changes` say where it differs.
   * @param {string} text
   * @param {object} [options] of /v1/deidentify: policy, actions
   * @returns {Promise<Document & {changes: object[]}>}
   */
  async deidentify(text, options = {}) {
    return this.only("v1/deidentify", { text, offsets: "utf16", ...options });
  }

  /**
   * Annotate many documents: each comes when it is ready, in order. One that failed is `{error: {id, reason}}`.
   * @param {Iterable<{id: string, text: string}>} documents
   * @param {Record<string, string>} [options] as query parameters: model, labels ("A,B"), min_score
   * @returns {AsyncGenerator<Document | {error: {id?: string, reason: string}}>}
   */
  async *stream(documents, options = {}) {
    const body = Array.from(documents, (document) => `${JSON.stringify(document)}\n`).join("");
    const query = new URLSearchParams({ offsets: "utf16", ...options });
    const answer = await this.send(`v1/annotate?${query}`, LINES, body);
    for await (const line of linesOf(answer.body)) yield JSON.parse(line);
  }

  /** The only document of an answer. */
  async only(path, question) {
    const answer = await this.send(path, "application/json", JSON.stringify(question));
    const { documents, errors } = await answer.json();
    if (!documents.length) throw new Error(`the document could not be worked on: ${errors[0]?.reason}`);
    return documents[0];
  }

  /** Send a request; where the service is busy, wait as long as it says and try again. */
  async send(path, type, body) {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await fetch(this.url + path, {
        method: "POST",
        headers: { ...this.headers, "Content-Type": type },
        body,
      }).catch((error) => {
        throw new Error(`${this.url}: cannot be reached (${error.cause?.code ?? error.message})`);
      });
      if (answer.ok) return answer;
      if (!BUSY.has(answer.status) || attempt === TRIES) {
        throw new MedspanError(answer.status, await answer.json().catch(() => ({})));
      }
      await answer.body?.cancel();
      await new Promise((resume) => setTimeout(resume, waitMillis(answer, attempt)));
    }
  }
}

/** What the service asks for, else a time that doubles; both with a little chance, so that clients part. */
function waitMillis(answer, attempt) {
  const asked = answer.headers.get("Retry-After") ?? "";
  const seconds = /^\d{1,4}$/.test(asked) ? Number(asked) : 2 ** (attempt - 1);
  return 1000 * seconds + 250 * Math.random();
}

/** Lines of a stream of bytes; characters and lines may stand across its pieces. */
async function* linesOf(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = lines.pop();
    yield* lines.filter(Boolean);
    if (done) break;
  }
  if (rest) yield rest;
}
