/** Calls of the service. The key lives in this window's session only. */

import { keep, kept } from "./keeping.js";

const KEY = "medspan-key";
const MOST_TRIES = 4;
const LONGEST_WAIT = 30;

/** What the service (or the way to it) refused, with all that helps to find out why. */
export class ServiceError extends Error {
  constructor({ status = 0, title = "", detail = "", requestId = "", body = {} }) {
    super(detail || title || `The service answered ${status}.`);
    Object.assign(this, { status, title, detail, requestId, body });
  }
}

/** What the page around does: how it asks for a key, and how it tells that it waits. */
const page = { askKey: async () => null, tellWaiting: () => {} };

/** @param {Partial<typeof page>} given */
export function connect(given) {
  Object.assign(page, given);
}

/**
 * A call that gives the JSON of the answer.
 * @param {string} path
 * @param {{method?: string, json?: unknown, signal?: AbortSignal}} [options]
 */
export async function call(path, options = {}) {
  const answer = await send(path, options);
  return answer.status === 204 ? null : whole(answer.json());
}

/** A call that gives a file. @returns {Promise<{blob: Blob, name: string}>} */
export async function download(path, options = {}) {
  const answer = await send(path, options);
  const told = answer.headers.get("Content-Disposition") ?? "";
  const name = /filename="?([^";]+)"?/.exec(told)?.[1] ?? "medspan";
  return { blob: await whole(answer.blob()), name };
}

/** A call that gives the lines of an NDJSON answer one by one, as they come. */
export async function* lines(path, options = {}) {
  const answer = await send(path, { ...options, accept: "application/x-ndjson" });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await whole(reader.read());
    const parts = (rest + (value ?? "")).split("\n");
    rest = done ? "" : parts.pop();
    for (const part of parts) if (part.trim()) yield JSON.parse(part);
    if (done) return;
  }
}

/** What of an answer comes after its head; the way to the service may be cut until its end. */
async function whole(coming) {
  try {
    return await coming;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError({
      title: "No whole answer",
      detail: "The answer of the service was cut off. Is it still running?",
    });
  }
}

/** Send, wait where the service is busy, ask for a key where it wants one. @returns {Promise<Response>} */
async function send(path, options) {
  for (let tries = 1; ; tries += 1) {
    const key = kept("sessionStorage", KEY);
    const answer = await sendOnce(path, options, key);
    if (answer.ok) return answer;
    if (answer.status === 401 && (await renewKey(key))) continue;
    const wait = Number(answer.headers.get("Retry-After") ?? NaN);
    const isBusy = answer.status === 429 || answer.status === 503;
    if (!isBusy || !(wait >= 0) || tries >= MOST_TRIES) throw await errorOf(answer);
    await waited(Math.min(wait, LONGEST_WAIT), options.signal);
  }
}

async function sendOnce(path, { method, json, body, type, accept, signal }, key) {
  const headers = { Accept: accept ?? "application/json, */*;q=0.5" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (type) headers["Content-Type"] = type;
  const sent = json === undefined ? body : JSON.stringify(json);
  try {
    return await fetch(path, {
      method: method ?? (sent === undefined ? "GET" : "POST"),
      headers,
      body: sent,
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError({
      title: "No answer",
      detail: "The service does not answer. Is it still running?",
    });
  }
}

/** One dialog, however many calls were refused at once. @type {Promise<string | null> | null} */
let asking = null;

/** Ask for another key than the one that was refused; true where there is one. @param {string | null} refused */
async function renewKey(refused) {
  if (kept("sessionStorage", KEY) !== refused) return true; // another call has asked meanwhile
  asking ??= askUsable(refused !== null).finally(() => (asking = null));
  const key = await asking;
  if (key) keep("sessionStorage", KEY, key);
  return Boolean(key);
}

/** A key that can be sent: a header takes no others, and one that is kept would make every call fail. */
async function askUsable(wasWrong) {
  const key = await page.askKey(wasWrong);
  return !key || /^[\x21-\x7e]+$/.test(key) ? key : askUsable(true);
}

async function errorOf(answer) {
  const body = await answer.json().catch(() => ({}));
  return new ServiceError({
    status: answer.status,
    title: body.title ?? answer.statusText,
    detail: typeof body.detail === "string" ? body.detail : "",
    requestId: body.request_id ?? answer.headers.get("X-Request-Id") ?? "",
    body,
  });
}

function waited(seconds, signal) {
  page.tellWaiting(seconds);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

/** A query of those values that are there: `query({a: 1, b: null})` is "?a=1". */
export function query(values) {
  const given = Object.entries(values).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** A caller that stops its earlier call when it makes the next; an answer that was overtaken is undefined. */
export function latest() {
  let controller = null;
  return async (act) => {
    controller?.abort();
    const own = new AbortController();
    controller = own;
    try {
      const value = await act(own.signal);
      return controller === own ? value : undefined;
    } catch (error) {
      if (error.name === "AbortError" || controller !== own) return undefined;
      throw error;
    }
  };
}
