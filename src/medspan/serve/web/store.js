/** A small store: values by name, and those who want to know when one changes. */

/**
 * @template {Record<string, unknown>} T
 * @param {T} initial
 */
export function createStore(initial) {
  const values = { ...initial };
  /** @type {{names: string[], tell: (values: T) => void}[]} */
  const listeners = [];
  return {
    /** @param {keyof T & string} name */
    get: (name) => values[name],
    /** Change some values; listeners of those that differ are told once. @param {Partial<T>} changes */
    set(changes) {
      const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      Object.assign(values, changes);
      for (const { names, tell } of [...listeners]) {
        if (names.some((name) => changed.includes(name))) tell(values);
      }
    },
    /** Call `tell` whenever one of `names` changes; gives a function that ends this. */
    on(names, tell) {
      const listener = { names, tell };
      listeners.push(listener);
      return () => listeners.splice(listeners.indexOf(listener), 1);
    },
  };
}
