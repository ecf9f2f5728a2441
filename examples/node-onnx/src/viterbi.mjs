/**
 * Emissions → labelled word ranges with confidences: medspan.model.viterbi.
 *
 * Viterbi finds the best legal IOBES path; forward-backward gives the probability of each labelled range on
 * it. Illegal starts, transitions and ends are minus infinity.
 */

const NEGLIGIBLE = -45; // the logarithm of what is lost in rounding when added to 1
const PREFIXES = ["B", "I", "E", "S"];

/** All IOBES tags of some labels: `O`, then B I E S of each label. @param {string[]} labels */
export function iobesTags(labels) {
  return ["O", ...labels.flatMap((label) => PREFIXES.map((prefix) => `${prefix}-${label}`))];
}

const isOneOf = (tag, letters) => letters.includes(tag[0]);

/** Whether a tag may stand right behind another. */
function mayFollow(before, after) {
  if (isOneOf(before, "BI")) return isOneOf(after, "IE") && before.slice(2) === after.slice(2);
  return isOneOf(after, "OBS");
}

const masked = (values, count, isLegal) =>
  Float64Array.from({ length: count }, (_, i) => (isLegal(i) ? (values?.[i] ?? 0) : -Infinity));

/** The decoder of one head. */
export class TagDecoder {
  /**
   * @param {string[]} labels
   * @param {{transitions?: Float32Array, start?: Float32Array, end?: Float32Array}} parts of a CRF, from row
   *   to column; a softmax head has none
   * @param {number} temperature divides all for the scores; the path does not depend on it
   */
  constructor(labels, parts, temperature) {
    this.labels = labels;
    this.temperature = temperature;
    const tags = iobesTags(labels);
    this.count = tags.length;
    const { count } = this;
    const legal = (i) => mayFollow(tags[Math.floor(i / count)], tags[i % count]);
    this.transitions = masked(parts.transitions, count * count, legal);
    this.start = masked(parts.start, count, (i) => isOneOf(tags[i], "OBS"));
    this.end = masked(parts.end, count, (i) => isOneOf(tags[i], "OES"));
    const every = tags.map((_, tag) => tag);
    /** For each tag those that may stand before it, and behind it: most pairs are illegal. */
    this.before = every.map((to) => Int32Array.from(every.filter((from) => legal(from * count + to))));
    this.after = every.map((from) => Int32Array.from(every.filter((to) => legal(from * count + to))));
    this.margins = this.outsideMargins();
  }

  /** How far `O` must lead each other tag at every word for all-O to be provably best: as medspan says why. */
  outsideMargins() {
    const { count, transitions, start, end } = this;
    const stay = transitions[0];
    return Float64Array.from({ length: count }, (_, tag) => {
      let wayIn = start[tag] - start[0];
      for (const from of this.before[tag]) wayIn = Math.max(wayIn, transitions[from * count + tag] - stay);
      return wayIn + Math.max(transitions[tag * count] - stay, end[tag] - end[0], 0);
    });
  }

  /** Whether the all-O path is not provably the best one. */
  mayHaveChunks(values, words) {
    for (let at = 0; at < words * this.count; at += this.count) {
      for (let tag = 1; tag < this.count; tag += 1) {
        if (!(values[at + tag] + this.margins[tag] < values[at])) return true;
      }
    }
    return false;
  }

  /**
   * The chunks of one unit.
   * @param {Float32Array} emissions (words, tags), row by row; more words may stand behind
   * @param {number} words
   * @returns {{first: number, stop: number, label: string, score: number}[]} positions of words, half-open
   */
  decode(emissions, words) {
    const values = Float64Array.from(emissions.subarray(0, words * this.count));
    if (!values.every(Number.isFinite)) {
      throw new Error("the model computed emissions that are not finite; its weights are damaged");
    }
    if (!this.mayHaveChunks(values, words)) return [];
    const chunks = this.chunksOf(this.bestPath(values, words));
    return chunks.length ? this.withScores(chunks, values, words) : [];
  }

  /** The best legal tags; of equally good ones the first wins. */
  bestPath(values, words) {
    const { count, transitions } = this;
    const scores = Float64Array.from(values);
    for (let tag = 0; tag < count; tag += 1) scores[tag] += this.start[tag];
    for (let at = count; at < words * count; at += count) {
      for (let tag = 0; tag < count; tag += 1) {
        let best = -Infinity;
        for (const from of this.before[tag]) {
          best = Math.max(best, scores[at - count + from] + transitions[from * count + tag]);
        }
        scores[at + tag] += best;
      }
    }
    const path = new Array(words);
    let next = -1;
    for (let word = words - 1; word >= 0; word -= 1) {
      const onward = (tag) => (next < 0 ? this.end[tag] : transitions[tag * count + next]);
      let best = 0;
      for (let tag = 1; tag < count; tag += 1) {
        if (scores[word * count + tag] + onward(tag) > scores[word * count + best] + onward(best)) best = tag;
      }
      path[word] = best;
      next = best;
    }
    return path;
  }

  /** The chunks of a legal path. */
  chunksOf(path) {
    const chunks = [];
    path.forEach((tag, word) => {
      const prefix = tag ? PREFIXES[(tag - 1) % PREFIXES.length] : "O";
      if (prefix === "B" || prefix === "S") {
        chunks.push({ first: word, stop: word + 1, index: Math.floor((tag - 1) / PREFIXES.length) });
      } else if (prefix !== "O") {
        chunks.at(-1).stop = word + 1;
      }
    });
    return chunks;
  }

  /** Chunks with the probability of their tags at their words, under the temperature. */
  withScores(chunks, values, words) {
    const { count } = this;
    const scaled = values.map((value) => value / this.temperature);
    const forward = this.pathSums(scaled, words, true);
    const backward = this.pathSums(scaled, words, false);
    const ends = Array.from(this.end, (end, tag) => forward[(words - 1) * count + tag] + end / this.temperature);
    const partition = logSum(ends, count);
    return chunks.map(({ first, stop, index }) => {
      const begin = 1 + PREFIXES.length * index;
      const tagAt = (word) => {
        if (stop - first === 1) return begin + 3;
        if (word === first) return begin;
        return word === stop - 1 ? begin + 2 : begin + 1;
      };
      let total = forward[first * count + tagAt(first)] - partition;
      for (let word = first + 1; word < stop; word += 1) {
        const step = this.transitions[tagAt(word - 1) * count + tagAt(word)] / this.temperature;
        total += step + scaled[word * count + tagAt(word)];
      }
      const last = (stop - 1) * count + tagAt(stop - 1);
      total += backward[last] - scaled[last]; // both sums hold the emission of the last word
      return { first, stop, label: this.labels[index], score: Math.exp(Math.min(total, 0)) };
    });
  }

  /** Log sums over all parts of paths up to each word, or from it on, with the word's own emission. */
  pathSums(scaled, words, isForward) {
    const { count } = this;
    const sums = Float64Array.from(scaled);
    const from = isForward ? this.start : this.end;
    const neighbours = isForward ? this.before : this.after;
    const steps = this.transitions.map((value) => value / this.temperature);
    const [own, other] = isForward ? [1, count] : [count, 1]; // strides of `steps`
    const edge = isForward ? 0 : (words - 1) * count;
    for (let tag = 0; tag < count; tag += 1) sums[edge + tag] += from[tag] / this.temperature;
    const ways = new Float64Array(count);
    for (let step = 1; step < words; step += 1) {
      const at = (isForward ? step : words - 1 - step) * count;
      const near = isForward ? at - count : at + count;
      for (let tag = 0; tag < count; tag += 1) {
        const others = neighbours[tag];
        for (let i = 0; i < others.length; i += 1) {
          ways[i] = sums[near + others[i]] + steps[tag * own + others[i] * other];
        }
        sums[at + tag] += logSum(ways, others.length);
      }
    }
    return sums;
  }
}

/** `log(sum(exp(values)))` of the first values; minus infinity where all are. */
function logSum(values, count) {
  let top = -Infinity;
  for (let i = 0; i < count; i += 1) top = Math.max(top, values[i]);
  if (top === -Infinity) return top;
  let sum = 0;
  for (let i = 0; i < count; i += 1) {
    if (values[i] - top > NEGLIGIBLE) sum += Math.exp(values[i] - top);
  }
  return top + Math.log(sum);
}
