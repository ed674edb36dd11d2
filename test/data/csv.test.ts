import { expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { parseCsv } from "../../src/data/csv.ts";

test("reads rows of numbers, whatever ends the lines", async () => {
  const table = parseCsv("1,2.5,-3\r\n4,5e1, 6\n\n");
  expect(table.shape).toEqual([2, 3]);
  expect(table.dtype).toBe("f32");
  expect(Array.from(await table.data())).toEqual([1, 2.5, -3, 4, 50, 6]);
});

test("takes a delimiter, a heading to skip and a dtype", async () => {
  const table = parseCsv("a;b\n1;2\n3;4", { delimiter: ";", skipRows: 1, dtype: "i32" });
  expect(table.dtype).toBe("i32");
  expect(Array.from(await table.data())).toEqual([1, 2, 3, 4]);
});

test("of no rows is an empty table", () => expect(parseCsv("\n").shape).toEqual([0, 0]));

test("names the line that is at fault", () => {
  expect(() => parseCsv("1,2\n3\n")).toThrow(ArgumentError);
  expect(() => parseCsv("1,2\n3\n")).toThrow("line 2 has 1 values, those before it 2");
  expect(() => parseCsv("x,y\n1,2\n")).toThrow(
    'line 1 holds "x", which is not a number; skip a heading with skipRows',
  );
  expect(() => parseCsv("1,\n")).toThrow('line 1 holds ""');
});
