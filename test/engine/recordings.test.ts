import { expect, test } from "vitest";
import { Cell, recordReads } from "../../src/engine/cell.ts";
import { Recent } from "../../src/engine/recent.ts";
import { Recordings } from "../../src/engine/recordings.ts";

/** Reads cells as `fn` does, and adds a recording of it. */
const record = (recordings: Recordings<string>, name: string, fn: () => void) => {
  const { reads } = recordReads(fn);
  return { reads, displaced: recordings.add(reads, name) };
};

test("a recording is found again in the state that it was made in", () => {
  const recordings = new Recordings<string>();
  const [mode, frozen, extra] = [new Cell(true), new Cell("none"), new Cell(0)];
  // What is read depends on what has been read before.
  const read = () => void (mode.value ? frozen.value : extra.value);
  expect(recordings.find()).toBeNull();
  for (const [m, f, e] of [
    [true, "none", 0],
    [true, "all", 0],
    [false, "all", 0],
    [false, "all", 1],
  ] as const) {
    [mode.value, frozen.value, extra.value] = [m, f, e];
    expect(recordings.find()).toBeNull();
    expect(record(recordings, `${m} ${m ? f : e}`, read).displaced).toEqual([]);
  }
  for (const m of [true, false])
    for (const f of ["none", "all"])
      for (const e of [0, 1]) {
        [mode.value, frozen.value, extra.value] = [m, f, e];
        expect(recordings.find()).toBe(`${m} ${m ? f : e}`);
        expect(recordings.find()).toBe(`${m} ${m ? f : e}`);
      }
});

test("one that reads nothing holds always", () => {
  const recordings = new Recordings<string>();
  const other = new Cell(0);
  const { reads } = record(recordings, "only", () => {});
  other.value++;
  expect(recordings.find()).toBe("only");
  expect(recordings.delete(reads)).toBe(false);
  expect(recordings.find()).toBeNull();
});

test("one that is taken out is not found, and the others are", () => {
  const recordings = new Recordings<string>();
  const cells = [new Cell(0), new Cell(0), new Cell(0)];
  const made = Array.from({ length: 27 }, (_, i) => {
    for (const [place, cell] of cells.entries()) cell.value = Math.floor(i / 3 ** place) % 3;
    return record(recordings, `${i}`, () => cells.map((cell) => cell.value)).reads;
  });
  const found = () =>
    made.map((reads) => {
      for (const [cell, value] of reads) cell.value = value;
      return recordings.find();
    });
  for (const [i, reads] of made.entries()) {
    expect(recordings.delete(reads)).toBe(i < 26);
    expect(found()).toEqual(made.map((_, k) => (k <= i ? null : `${k}`)));
  }
});

test("the latest way that a function goes is the one that holds", () => {
  const recordings = new Recordings<string>();
  const [a, b] = [new Cell(0), new Cell(0)];
  record(recordings, "by a", () => a.value);
  // No cell tells why it reads something else, or nothing, from now on.
  expect(record(recordings, "by b", () => b.value).displaced).toEqual(["by a"]);
  expect(recordings.find()).toBe("by b");
  expect(record(recordings, "again", () => b.value).displaced).toEqual(["by b"]);
  expect(record(recordings, "by none", () => {}).displaced).toEqual(["again"]);
  expect(record(recordings, "by a", () => a.value).displaced).toEqual(["by none"]);
  b.value++;
  expect(recordings.find()).toBe("by a");
});

test("what was unused for longest goes first, and what is used last stays", () => {
  const gone: string[] = [];
  const recent = new Recent<string>(10, (thing) => gone.push(thing));
  for (const thing of ["a", "b", "c"]) recent.use(thing, 3);
  recent.use("a", 3);
  expect(gone).toEqual([]);
  recent.use("d", 3);
  expect(gone).toEqual(["b"]);
  recent.use("large", 99);
  expect(gone).toEqual(["b", "c", "a", "d"]);
  expect(recent.count).toBe(1);
  recent.delete("large");
  recent.use("e", 10);
  expect([gone.length, recent.count]).toEqual([4, 1]);
});
