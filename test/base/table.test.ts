import { expect, test } from "vitest";
import { grouped, percent, table } from "../../src/base/table.ts";

test("words stand left, numbers right, under their headings", () => {
  expect(
    table(
      ["name", "count"],
      [
        ["a", 1],
        ["longer", "1,234"],
        ["b", "–"],
      ],
    ),
  ).toEqual(["name    count", "──────  ─────", "a           1", "longer  1,234", "b           –"]);
});

test("a table without rows has its headings", () => {
  expect(table(["a", "b"], [])).toEqual(["a  b", "─  ─"]);
});

test("numbers as they are read", () => {
  expect(grouped(1234567)).toBe("1,234,567");
  expect(percent(0.97825)).toBe("97.8 %");
});
