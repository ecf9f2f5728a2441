/** What the browser keeps for the page. Where it may not (forbidden) or cannot (full), this window remembers it. */

/** @typedef {"localStorage" | "sessionStorage"} Place */

/** What could not be kept, by place and name. @type {Map<string, string | null>} */
const here = new Map();

/** What was kept by a name; null where nothing was. @param {Place} place @param {string} name */
export function kept(place, name) {
  const own = `${place} ${name}`;
  if (here.has(own)) return here.get(own);
  try {
    return globalThis[place].getItem(name);
  } catch {
    return null;
  }
}

/** Keep a value by a name; null forgets it. @param {Place} place @param {string} name @param {string | null} value */
export function keep(place, name, value) {
  const own = `${place} ${name}`;
  try {
    if (value === null) globalThis[place].removeItem(name);
    else globalThis[place].setItem(name, value);
    here.delete(own);
  } catch {
    here.set(own, value);
  }
}
