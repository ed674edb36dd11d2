import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "../../src/base/bounded-json.ts";

test("what JSON.parse makes of any text, and its errors", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
  );
  for (const text of ["", "{", '"', '"\\', "[1,]", "nul", '{"a":1}}', "]["])
    expect(() => parseJson(text)).toThrow(SyntaxError);
});

test("brackets and commas in strings are no values", () => {
  const text = JSON.stringify({ a: "[".repeat(1000), 'b"]\\': `${",".repeat(1000)}\\"[` });
  expect(parseJson(text, { depth: 1, values: 6 })).toEqual(JSON.parse(text));
});

test("too deep, or too much, is refused before anything is built", () => {
  expect(parseJson("[[1]]", { depth: 2, values: 9 })).toEqual([[1]]);
  expect(() => parseJson("[[[1]]]", { depth: 2, values: 9 })).toThrow(
    /nested too deeply: more than 2 levels/,
  );
  expect(() => parseJson('{"a":{"b":{}}}', { depth: 2, values: 9 })).toThrow(/more than 2 levels/);
  expect(() => parseJson("[0,0,0,0,0]", { depth: 2, values: 4 })).toThrow(/more than 4 values/);
  expect(() => parseJson("[{},{},{},{}]", { depth: 2, values: 4 })).toThrow(/more than 4 values/);
  const before = process.memoryUsage().rss;
  for (const hostile of ["[", "[],", '{"a":', "0,"]) {
    const text = `[${hostile.repeat(20_000_000 / hostile.length)}`;
    expect(() => parseJson(text)).toThrow(/more than (64 levels|4194304 values)/);
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
});
