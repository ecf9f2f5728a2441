// Unit tests of the page's pure functions; test_page_units.py runs them with the web folder in PAGE_WEB.
import assert from "node:assert/strict";
import { test } from "node:test";

const load = (name) => import(`${process.env.PAGE_WEB}/${name}`);
const { layoutOf, levelsOf, nested, piecesOf } = await load("layout.js");
const { characters, inCodepoints, toCodepoints, wholeWords, wordsOf } = await load("offsets.js");
const { crc32, hue, attributesOf, unusual, lookOf } = await load("labels.js");
const { csvRows, documentsOf, withOwnIds } = await load("file-reading.js");
const { differences, countsOf } = await load("differences.js");
const { changed, innermost, keysOf, movedBorder, neighbour, withMark } = await load("spans.js");
const { mapped, marksOf } = await load("align.js");
const { portions } = await load("downloads.js");
const { createStore } = await load("store.js");
const { call, connect, latest, lines } = await load("api.js");
const { meaningOf } = await load("annotate-keys.js");

const mark = (start, end, label = "A") => ({ start, end, label });

/** A layout as text: marks in brackets with their label, "~" where one goes on or is continued. */
function drawn(nodes, text, entities) {
  return nodes
    .map((node) => {
      if (node.kind === "text") return text.slice(node.start, node.end);
      const inner = drawn(node.children, text, entities);
      if (node.kind === "band") return `{${node.label}${node.isBlock ? "" : "*"}|${inner}}`;
      const { piece } = node;
      return `[${piece.isNew ? "" : "~"}${entities[piece.index].label}:${inner}${piece.isLast ? "" : "~"}]`;
    })
    .join("");
}

const shown = (text, entities, sections) => drawn(layoutOf(text, entities, sections), text, entities);

test("marks nest, and one that crosses another is cut", () => {
  assert.equal(shown("abcdef", []), "abcdef");
  assert.equal(shown("", []), "");
  assert.equal(shown("abcdef", [mark(1, 3)]), "a[A:bc]def");
  assert.equal(shown("abcdef", [mark(0, 6), mark(2, 4, "B")]), "[A:ab[B:cd]ef]");
  assert.equal(shown("abcdef", [mark(0, 4), mark(2, 6, "B")]), "[A:ab[B:cd~]][~B:ef]");
  assert.equal(shown("abcdef", [mark(1, 3), mark(1, 3, "B")]), "a[A:[B:bc]]def");
  assert.equal(shown("abcdef", [mark(0, 3), mark(3, 6, "B")]), "[A:abc][B:def]");
  assert.equal(
    shown("abcdef", [mark(0, 3), mark(1, 5, "B"), mark(2, 6, "C")]),
    "[A:a[B:b[C:c~]~]][~B:[~C:de~]][~C:f]",
  );
});

test("a discontinuous entity has a mark for each span", () => {
  const entity = {
    ...mark(0, 6),
    spans: [
      [0, 2],
      [4, 6],
    ],
  };
  assert.equal(shown("abcdef", [entity]), "[A:ab]cd[A:ef]");
  assert.equal(piecesOf([entity]).length, 2);
});

test("every character is drawn once, whatever the marks", () => {
  let seed = 7;
  const random = (limit) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % limit;
  };
  const text = "a😀b\nc𝔘d ef\n\ng";
  for (let round = 0; round < 300; round += 1) {
    const entities = Array.from({ length: random(6) }, () => {
      const start = random(text.length);
      return mark(start, Math.min(text.length, start + 1 + random(6)));
    });
    const sections = [
      { label: "s", start: 0, end: 5 },
      { label: "t", start: 5, end: text.length },
    ].slice(0, random(3));
    const nodes = layoutOf(text, entities, sections);
    const flat = (node) =>
      node.kind === "text" ? text.slice(node.start, node.end) : node.children.map(flat).join("");
    assert.equal(nodes.map(flat).join(""), text);
    const covered = entities.map(() => 0);
    const count = (node, over) => {
      if (node.kind === "text") for (const index of over) covered[index] += node.end - node.start;
      else
        node.children.forEach((child) =>
          count(child, node.kind === "mark" ? [...over, node.piece.index] : over),
        );
    };
    nodes.forEach((node) => count(node, []));
    assert.deepEqual(
      covered,
      entities.map(({ start, end }) => end - start),
    );
  }
});

test("sections become bands; blank lines between them belong to the earlier one", () => {
  const text = "A: x\n\nB: y\n";
  const sections = [
    { label: "a", start: 0, end: 4 },
    { label: "b", start: 6, end: 10 },
  ];
  assert.equal(shown(text, [mark(3, 4)], sections), "{a|A: [A:x]\n\n}{b|B: y\n}");
  assert.equal(shown("x A: y", [], [{ label: "a", start: 2, end: 6 }]), "x {a*|A: y}");
  assert.equal(shown("abcd", [mark(1, 3)], [{ label: "a", start: 0, end: 2 }]), "{a*|a[A:b~]}[~A:c]d");
  const touching = [
    { label: "a", start: 0, end: 2 },
    { label: "b", start: 2, end: 4 },
  ];
  assert.equal(
    shown("abcd", [mark(1, 3)], touching),
    "{a*|a[A:b~]}{b*|[~A:c]d}",
    "a mark over the border of two sections",
  );
  assert.equal(
    shown(
      "abcd",
      [],
      [
        { label: "a", start: 0, end: 3 },
        { label: "b", start: 2, end: 4 },
      ],
    ),
    "{a*|abc}d",
  );
});

test("levels grow with what is inside", () => {
  assert.deepEqual(levelsOf([mark(0, 9), mark(1, 5), mark(2, 3)]), [2, 1, 0]);
  assert.deepEqual(levelsOf([mark(0, 2), mark(2, 4)]), [0, 0]);
  assert.deepEqual(levelsOf([]), []);
  assert.equal(Math.max(...levelsOf(Array.from({ length: 20 }, (_, place) => mark(place, 60 - place)))), 6);
});

test("a part of a text is laid out alone", () => {
  assert.equal(drawn(nested(piecesOf([mark(0, 6)]), 2, 4), "abcdef", [mark(0, 6)]), "[~A:cd~]");
});

test("offsets in UTF-16 become code points", () => {
  const moved = toCodepoints("a😀b𝔘");
  assert.deepEqual([0, 1, 3, 4, 6].map(moved), [0, 1, 2, 3, 4]);
  assert.equal(characters("a😀b𝔘"), 4);
  assert.equal(characters("\ud83d alone \ude00"), 9, "halves alone are one each");
  const text = "😀 x 😀 y";
  const document = inCodepoints({
    text,
    entities: [
      {
        ...mark(3, 4),
        spans: [
          [3, 4],
          [8, 9],
        ],
      },
    ],
    sections: [mark(0, 9)],
    sentences: [[0, 9]],
  });
  assert.deepEqual(document.entities[0].spans, [
    [2, 3],
    [6, 7],
  ]);
  assert.deepEqual([document.sections[0].end, document.sentences[0][1]], [7, 7]);
  assert.equal([...text].slice(2, 3).join(""), "x");
});

test("words are cut as medspan cuts them", () => {
  const cut = (text) => wordsOf(text).map(([start, end]) => text.slice(start, end));
  assert.deepEqual(cut("IL2, HbA1c 0.5%"), ["IL2", ",", "HbA1c", "0", ".", "5", "%"]);
  assert.deepEqual(cut("cafe\u0301 😀x"), ["cafe\u0301", "😀", "x"]);
  assert.deepEqual(cut(" \n\u200b"), []);
  assert.deepEqual(wholeWords(wordsOf("one two"), 2, 5), [0, 7]);
  assert.equal(wholeWords(wordsOf("one two"), 3, 4), null);
});

test("hues are those of the HTML that medspan writes", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assert.equal(hue("Disease"), 8);
  for (const [label, wanted] of JSON.parse(process.env.PAGE_HUES)) assert.equal(hue(label), wanted, label);
});

test("attributes are read as a map and as a list", () => {
  const entity = {
    attributes: { assertion: "absent", temporality: "current" },
    attribute_scores: { assertion: 0.9 },
  };
  assert.deepEqual(attributesOf(entity)[0], { name: "assertion", value: "absent", score: 0.9 });
  assert.deepEqual(unusual(entity), ["absent"]);
  assert.equal(lookOf(entity), "absent");
  assert.deepEqual(unusual({ attributes: [{ name: "assertion", value: "associated_with_someone_else" }] }), [
    "someone else’s",
  ]);
  assert.equal(lookOf({}), "");
});

test("rows of CSV", () => {
  assert.deepEqual(csvRows('a,b\r\n1,"x, ""y""\nz"\n'), [
    ["a", "b"],
    ["1", 'x, "y"\nz'],
  ]);
  assert.deepEqual(csvRows("a,b\n1,"), [
    ["a", "b"],
    ["1", ""],
  ]);
  assert.deepEqual(csvRows("a\n\nb"), [["a"], ["b"]]);
  assert.deepEqual(csvRows(",\n"), [["", ""]]);
  assert.deepEqual(csvRows(""), []);
  assert.deepEqual(csvRows('a\n"open'), [["a"], ['"open']], "a quote that never ends is text");
});

test("files become documents, and what is wrong is named", () => {
  assert.deepEqual(documentsOf("d/a.TXT", "x").documents, [{ id: "d/a", text: "x" }]);
  assert.equal(documentsOf("a.txt", " ").bad[0].reason, "the document is empty");
  const lines = documentsOf("a.jsonl", '{"text":"x","entities":[]}\n{}\n[\n\n');
  assert.deepEqual(lines.documents, [{ text: "x", entities: [], id: "a.jsonl:1" }]);
  assert.deepEqual(
    lines.bad.map(({ id }) => id),
    ["a.jsonl:2", "a.jsonl:3"],
  );
  assert.equal(documentsOf("a.csv", "x,y\n1,2").bad.length, 1);
  assert.deepEqual(
    withOwnIds([{ id: "a" }, { id: "a" }, { id: "a-2" }]).map(({ id }) => id),
    ["a", "a-2", "a-2-2"],
  );
});

test("differences of two models", () => {
  const kinds = (a, b) => differences(a, b).map(({ kind }) => kind);
  assert.deepEqual(kinds([mark(0, 3)], [mark(0, 3)]), ["same"]);
  assert.deepEqual(kinds([mark(0, 3)], [mark(0, 3, "B")]), ["label"]);
  assert.deepEqual(kinds([mark(0, 3)], [mark(1, 3)]), ["border"]);
  assert.deepEqual(kinds([mark(0, 3)], [mark(1, 3, "B")]), ["a", "b"]);
  const best = differences([mark(0, 9)], [mark(0, 2), mark(3, 9)]).find(({ kind }) => kind === "border");
  assert.equal(best.b.start, 3, "those that share most are a pair");
  assert.deepEqual(countsOf(differences([mark(0, 3), mark(5, 6)], [mark(0, 3)])), {
    same: 1,
    label: 0,
    border: 0,
    a: 1,
    b: 0,
  });
});

test("what an annotator does to marks", () => {
  const [a, b] = [mark(0, 3), mark(5, 8, "B")];
  assert.deepEqual(withMark([b], a), [a, b]);
  assert.equal(withMark([a], mark(0, 3)).length, 1);
  assert.deepEqual(changed([a, b], a, { label: "B" })[1], { ...a, label: "B", isSuggested: false });
  const words = wordsOf("one two three");
  assert.deepEqual(movedBorder(words, mark(0, 3), "end", 1), { start: 0, end: 7 });
  assert.deepEqual(movedBorder(words, mark(4, 7), "start", -1), { start: 0, end: 7 });
  assert.equal(movedBorder(words, mark(0, 3), "end", -1), null);
  assert.equal(movedBorder(words, mark(8, 13), "end", 1), null);
  assert.equal(movedBorder(words, mark(0, 3), "start", 1), null);
  assert.equal(innermost([mark(0, 9), mark(2, 4)], 3).start, 2);
  assert.equal(innermost([a], 4), null);
  assert.equal(neighbour([a, b], a, 0, 1), b);
  assert.equal(neighbour([a, b], b, 0, 1), a);
  assert.equal(neighbour([a, b], null, 4, -1), a);
  assert.equal(neighbour([], null, 0, 1), null);
});

test("keys of labels leave those of commands alone", () => {
  const keys = keysOf(Array.from({ length: 40 }, (_, place) => `L${place}`));
  assert.equal(keys.get("1"), "L0");
  assert.equal(keys.get("b"), "L9");
  assert.ok(!keys.has("a") && !keys.has("s"));
  const press = (key, held = {}) => meaningOf({ key, ...held }, keys);
  assert.deepEqual(press("1"), ["label", "L0"]);
  assert.deepEqual(press("z", { ctrlKey: true }), ["undo"]);
  assert.deepEqual(press("Z", { ctrlKey: true, shiftKey: true }), ["redo"]);
  assert.deepEqual(press("ArrowLeft", { altKey: true, shiftKey: true }), ["border", "start", -1]);
  assert.equal(press("c", { ctrlKey: true }), null, "copying goes on to work");
  assert.equal(press("Tab"), null, "and so does leaving the text");
});

test("heights of two texts side by side", () => {
  const to = mapped([
    [0, 0],
    [100, 200],
    [200, 220],
  ]);
  assert.deepEqual([0, 50, 100, 150, 999].map(to), [0, 100, 200, 210, 220]);
  assert.equal(mapped([])(5), 5);
  const { given, renewed } = marksOf([{ label: "N", start: 0, end: 2, new_start: 0, new_end: 0 }]);
  assert.deepEqual([given.length, renewed.length], [1, 0]);
});

test("portions keep to both limits", () => {
  const documents = Array.from({ length: 5 }, (_, id) => ({ id, text: "x".repeat(100) }));
  assert.deepEqual(
    portions(documents, { bytes: 1e6, count: 2 }).map((one) => one.length),
    [2, 2, 1],
  );
  assert.deepEqual(
    portions(documents, { bytes: 1, count: 9 }).map((one) => one.length),
    [1, 1, 1, 1, 1],
  );
  assert.deepEqual(portions([], { bytes: 1, count: 9 }), []);
});

test("a store tells of changes only", () => {
  const store = createStore({ a: 1, b: 2 });
  const told = [];
  const end = store.on(["a"], (values) => told.push(values.a));
  store.set({ a: 1 });
  store.set({ b: 3 });
  store.set({ a: 2 });
  end();
  store.set({ a: 3 });
  assert.deepEqual(told, [2]);
});

/** Run with answers in the place of the service's; gives the keys that were sent. */
async function answered(answer, act) {
  const sent = [];
  const { fetch } = globalThis;
  globalThis.fetch = (path, { headers }) => {
    sent.push(headers.Authorization);
    return answer(sent.length, headers);
  };
  try {
    await act(sent);
  } finally {
    globalThis.fetch = fetch;
  }
}

const refusal = (status, headers = {}) => new Response(JSON.stringify({ title: "No" }), { status, headers });

test("an answer that was overtaken says nothing, whether it came or failed", async () => {
  const run = latest();
  const ends = [];
  const first = run(() => new Promise((_, reject) => ends.push(() => reject(new Error("late")))));
  const second = run(async () => 2);
  ends[0]();
  assert.deepEqual(await Promise.all([first, second]), [undefined, 2]);
  await assert.rejects(
    run(async () => {
      throw new Error("own");
    }),
    /own/,
  );
});

test("the key is asked for once, however late the refusals of the old one come", async () => {
  const asked = [];
  connect({ askKey: async (wasWrong) => (asked.push(wasWrong), "good") });
  const late = [];
  const answer = (_, { Authorization }) =>
    Authorization === "Bearer good" ? Response.json(1) : new Promise((resolve) => late.push(resolve));
  await answered(answer, async () => {
    const both = [call("/a"), call("/b")];
    late[0](refusal(401));
    assert.equal(await both[0], 1);
    late[1](refusal(401));
    assert.equal(await both[1], 1);
  });
  assert.deepEqual(asked, [false]);
});

test("a key that no header can hold is asked for again", async () => {
  const offered = ["“quoted”", "straight"];
  connect({ askKey: async () => offered.shift() });
  const answer = (_, { Authorization }) =>
    Authorization === "Bearer straight" ? Response.json(1) : refusal(401);
  await answered(answer, async () => assert.equal(await call("/a"), 1));
  assert.deepEqual(offered, []);
});

test("a busy service is asked again when it says so, and not before", async () => {
  const busy = (tries) => (tries === 1 ? refusal(503, { "Retry-After": "0" }) : Response.json(1));
  await answered(busy, async () => assert.equal(await call("/a"), 1));
  const silent = () => refusal(503);
  await answered(silent, async (sent) => {
    await assert.rejects(call("/a"), { status: 503 });
    assert.equal(sent.length, 1);
  });
});

test("an answer that is cut off is told as one", async () => {
  const cut = () => {
    const given = ['{"a": 1}\n{"b"', null];
    const pull = (stream) => {
      const next = given.shift();
      if (next) stream.enqueue(new TextEncoder().encode(next));
      else stream.error(new TypeError("network error"));
    };
    return new Response(new ReadableStream({ pull }));
  };
  await answered(cut, async () => {
    const came = [];
    await assert.rejects(async () => {
      for await (const line of lines("/a")) came.push(line);
    }, /cut off/);
    assert.deepEqual(came, [{ a: 1 }]);
  });
  await answered(cut, () => assert.rejects(call("/a"), /cut off/));
});

test("long texts are compared as fast as they are drawn", { timeout: 20_000 }, () => {
  const many = (label) => Array.from({ length: 20_000 }, (_, place) => mark(place * 9, place * 9 + 5, label));
  assert.equal(countsOf(differences(many("A"), many("A"))).same, 20_000);
  assert.equal(countsOf(differences(many("A"), many("B"))).label, 20_000);
});
