import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ArgumentError, DataError } from "thaw";
import { readData, type TextDataset } from "thaw/models";
import { afterAll, expect, test } from "vitest";

const top = mkdtempSync(join(tmpdir(), "thaw-data-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array | unknown[]): string {
  const at = join(mkdtempSync(join(top, "f-")), name);
  writeFileSync(
    at,
    Array.isArray(content) ? content.map((one) => JSON.stringify(one)).join("\n") : (content as string),
  );
  return at;
}

const rows = (dataset: TextDataset) => dataset.examples.map(({ text, target }) => [text, target]);

test("lines of JSON, with columns that are named and those that have usual names", async () => {
  const at = file("data.jsonl", [
    { description: "an editor", section: "editors", id: 1 },
    { description: "a game", section: "games", id: 2 },
    { description: "vi", section: "editors", id: 3 },
  ]);
  const named = await readData(at, { text: "description", label: "section" });
  expect(named.labels).toEqual(["editors", "games"]);
  expect(named.kind).toBe("class");
  expect(rows(named)).toEqual([
    ["an editor", 0],
    ["a game", 1],
    ["vi", 0],
  ]);
  expect(named.counts()).toEqual([2, 1]);
  const usual = await readData(at);
  expect(usual.columns).toEqual({ text: ["description"], label: "section" });
  expect(rows(usual)).toEqual(rows(named));
  expect((await readData(at, { label: null })).kind).toBe("none");
  expect((await readData(at, { labels: ["games", "editors"] })).at(0)!.target).toBe(1);
});

test("tables, with quotes, line breaks in values, and other line ends", async () => {
  const csv = '\ufefftext,label\r\n"one, two",a\r\n"says ""hi""\nand goes",b\r\n\r\n';
  expect(rows(await readData(file("data.csv", csv)))).toEqual([
    ["one, two", 0],
    ['says "hi"\nand goes', 1],
  ]);
  expect(rows(await readData(file("data.tsv", "text\tlabel\nx, y\t10\nz\t9\n")))).toEqual([
    ["x, y", 1],
    ["z", 0],
  ]);
});

test.each([
  ["as on Windows", 'text,label\r\na,x\r\n"b, 5"" wide",y\r\n'],
  ["as on Windows, the last one open", 'text,label\r\na,x\r\n"b, 5"" wide","y"'],
  ["of both kinds, a Windows one first", 'text,label\r\na,x\n"b, 5"" wide",y\r\n'],
  ["of both kinds, the other first", 'text,label\na,"x"\r\n"b, 5"" wide","y"\r\n'],
  ["as on old Macs", 'text,label\ra,x\r"b, 5"" wide",y\r'],
])("lines of a table that end %s", async (_, content) => {
  const data = await readData(file("data.csv", content));
  expect(data.labels).toEqual(["x", "y"]);
  expect(rows(data)).toEqual([
    ["a", 0],
    ['b, 5" wide', 1],
  ]);
});

test("labels that some records lack, or that a list has twice", async () => {
  const lacking = file("data.jsonl", [{ text: "a" }, { text: "b", label: "x" }]);
  await expect(readData(lacking)).rejects.toThrow(/line 1: label is not there/);
  expect((await readData(lacking, { label: null })).kind).toBe("none");
  const twice = await readData(
    file("data.jsonl", [
      { text: "a", labels: ["x", "x"] },
      { text: "b", labels: ["y", "x"] },
    ]),
  );
  expect(rows(twice)).toEqual([
    ["a", [0]],
    ["b", [1, 0]],
  ]);
  expect(twice.counts()).toEqual([2, 1]);
});

test("numbers, several classes, tags of words, pairs", async () => {
  const scores = await readData(
    file("a.jsonl", [
      { sentence1: "a", sentence2: "b", score: 1 },
      { sentence1: "c", sentence2: "d", score: 2.5 },
    ]),
  );
  expect(scores.kind).toBe("number");
  expect(rows(scores)).toEqual([
    [["a", "b"], 1],
    [["c", "d"], 2.5],
  ]);
  const several = await readData(
    file("b.jsonl", [
      { text: "x", labels: ["red", "big"] },
      { text: "y", labels: [] },
    ]),
  );
  expect([several.kind, several.labels, several.at(0)!.target]).toEqual(["classes", ["big", "red"], [1, 0]]);
  const tags = await readData(file("c.jsonl", [{ tokens: ["New", "York"], ner_tags: ["B", "I"] }]));
  expect([tags.kind, rows(tags)]).toEqual(["tags", [[{ words: ["New", "York"] }, [0, 1]]]]);
});

test("columns that are compared with one another: pairs, triplets, and more that are named", async () => {
  const record = { anchor: "a", positive: "b", negative: "c", other: "d" };
  const triplets = await readData(file("a.jsonl", [record]));
  expect([triplets.kind, triplets.columns.text, rows(triplets)]).toEqual([
    "none",
    ["anchor", "positive", "negative"],
    [[["a", "b", "c"], null]],
  ]);
  const { negative: _, ...pair } = record;
  expect((await readData(file("b.jsonl", [pair]))).columns.text).toEqual(["anchor", "positive"]);
  const text = ["anchor", "positive", "negative", "other"];
  expect(rows(await readData(file("c.jsonl", [record]), { text }))).toEqual([[["a", "b", "c", "d"], null]]);
  await expect(readData(file("d.jsonl", [record]), { text: [] })).rejects.toThrow(/no columns are named/);
});

test.each([
  ["x.jsonl", "", /has no records/],
  ["x.jsonl", "\n \n", /has no records/],
  ["x.jsonl", '{"text": "a"}\nnot json', /line 2, is no JSON/],
  ["x.jsonl", '{"text": "a"}\n[1]', /line 2, is a list; it must be an object/],
  ["x.jsonl", new Uint8Array([123, 125, 10, 0, 1]), /line 2, is no text: it has a byte of 0/],
  ["x.jsonl", new Uint8Array([123, 125, 10, 0xff, 0xfe]), /line 2, is no text in UTF-8/],
  ["x.jsonl", '{"a": 1}', /which column has the texts\? It has a; say text/],
  ["x.jsonl", '{"text": 7}', /line 1: text is 7; it must be a text/],
  [
    "x.jsonl",
    '{"text": "a", "label": "b"}\n{"text": "c"}',
    /line 2: label is not there; it must name a class/,
  ],
  [
    "x.jsonl",
    '{"text": "a", "label": ["b"]}\n{"text": "c", "label": "b"}',
    /line 2: label is "b"; it must be a list/,
  ],
  ["x.jsonl", '{"tokens": ["a", "b"], "tags": ["x"]}', /there are 2 words and 1 labels/],
  ["x.csv", 'text,label\n"a,b\n', /Quoted field unterminated/],
  ["x.csv", "text,label\na,b,c\n", /record 1.*The columns are text, label/],
  ["x.csv", "text,label\na,b\nc\n", /record 2: Too few fields.*The columns are text, label/],
  ["x.csv", "text;label\na, b;c\n", /one column, "text;label"; it looks as if ";" stood between columns/],
  ["x.tsv", "text,label\na,b\n", /one column, "text,label"; it looks as if "," stood between columns/],
  ["x.csv", "text,label,label\na,b,c\n", /has two columns "label"; give each a name of its own/],
  ["x.jsonl", '{"text": "a", "label": 1e999}\n{"text": "b", "label": 0.5}', /line 1: label.*a finite number/],
  ["x.jsonl", '{"text": "a", "labels": [0, 1, 0]}\n{"text": "b", "labels": [1, 1, 0]}', /zeros and ones/],
] as const)("%s of %o is an error that says where", async (name, content, message) => {
  const at = file(name, content as string);
  await expect(readData(at)).rejects.toThrow(DataError);
  await expect(readData(at)).rejects.toThrow(message);
});

test("a line that does not end is an error, not all of memory", async () => {
  const at = file("x.jsonl", `{"text": "${"a".repeat(2 ** 24)}"}`);
  await expect(readData(at)).rejects.toThrow(/line 1, is longer than 16777216 bytes/);
});

test("a column, a label and a file that are not there", async () => {
  const at = file("x.jsonl", [{ text: "a", label: "b" }]);
  await expect(readData(at, { text: "body" })).rejects.toThrow(/no column "body"; it has text, label/);
  await expect(readData(at, { label: "section" })).rejects.toThrow(/no column "section"/);
  await expect(readData(at, { labels: ["x", "y"] })).rejects.toThrow(
    /line 1: label is "b", which is none of the labels "x", "y"/,
  );
  await expect(readData(join(top, "nowhere.jsonl"))).rejects.toThrow(/Cannot read .*nowhere/);
});

test("split: every text once, no text on both sides, the same for the same seed, each label its part", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ text: fc.nat(30), label: fc.nat(2) }), { minLength: 12, maxLength: 60 }),
      fc.nat(1000),
      fc.double({ min: 0.05, max: 0.6, noNaN: true }),
      async (list, seed, part) => {
        // One text has one label.
        const examples = list.map(({ text }) => ({ text: `t${text}`, label: `l${text % 3}` }));
        if (new Set(examples.map(({ text }) => text)).size < 2) return;
        const at = file("x.jsonl", examples);
        const { train, test } = await readData(at, { split: { test: part, seed } });
        expect(train.length + test.length).toBe(examples.length);
        const trained = new Set(train.examples.map(({ text }) => text));
        expect(test.examples.some(({ text }) => trained.has(text))).toBe(false);
        expect(test.length).toBeGreaterThan(0);
        expect(train.length).toBeGreaterThan(0);
        const again = await readData(at, { split: { test: part, seed } });
        expect(rows(again.test)).toEqual(rows(test));
      },
    ),
    { numRuns: 40 },
  );
  const many = Array.from({ length: 400 }, (_, i) => ({
    text: `t${i}`,
    label: i % 10 === 0 ? "rare" : "common",
  }));
  const split = { test: 0.2, seed: 3 };
  const { test } = await readData(file("y.jsonl", many), { split: { ...split, stratify: true } });
  expect(test.counts()).toEqual([72, 8]);
  const other = await readData(file("y.jsonl", many), { split: { ...split, seed: 4 } });
  expect(rows(other.test)).not.toEqual(rows(test));
});

test("splits that cannot be", async () => {
  const at = file("x.jsonl", [
    { text: "a", label: "x" },
    { text: "b", label: "x" },
    { text: "c", label: "lonely" },
  ]);
  for (const part of [0, 1, Number.NaN, -1])
    await expect(readData(at, { split: { test: part } })).rejects.toThrow(ArgumentError);
  await expect(readData(at, { split: { test: 0.3, stratify: true } })).rejects.toThrow(
    /the label "lonely" has one text/,
  );
  await expect(readData(at, { label: null, split: { test: 0.3, stratify: true } })).rejects.toThrow(
    /stratify needs one class a text/,
  );
  await expect(
    readData(file("y.jsonl", [{ text: "a" }, { text: "a" }]), { split: { test: 0.5 } }),
  ).rejects.toThrow(/all texts are the same one/);
});
