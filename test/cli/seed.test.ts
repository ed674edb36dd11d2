import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { seed } from "../../src/cli/seed.ts";

const lines: string[] = [];
await seed((line) => lines.push(...line.split("\n")));

/** The lines of an experiment. */
const experiment = (number: number): string[] => {
  const from = lines.findIndex((line) => line.startsWith(`── ${number}.`));
  const to = lines.findIndex(
    (line, i) => i > from && (line.startsWith("── ") || line.startsWith("hiddenTask1,")),
  );
  return lines.slice(from, to);
};
const changed = (number: number, task: string): string[] => {
  const own = experiment(number);
  const from = own.indexOf(`changed by ${task}`) + 1;
  return own.slice(from, own.indexOf("", from)).map((line) => line.trim().split(":")[0]!);
};
const rows = lines.slice(-4).map((line) => line.trim().split(/ {2,}/).slice(-2).map(Number));

test("the first task leaves the other's layer alone in each experiment", () => {
  for (const number of [1, 2, 3, 4])
    expect(changed(number, "task1")).toEqual(["hiddenTask1.weight", "output.weight"]);
});

test("in the second task the layer at rest moves under AdamW with gradients of zeros, and only there", () => {
  const sound = ["hiddenTask2.weight", "output.weight"];
  expect([1, 2, 3, 4].map((number) => changed(number, "task2"))).toEqual([
    sound,
    ["hiddenTask1.weight", ...sound],
    sound,
    sound,
  ]);
});

test("the summary says so, with the steps that the optimizer counted", () => {
  expect(rows.map(([, steps]) => steps)).toEqual([2, 2, 1, 1]);
  const [sgd, adamW, nulls, trains] = rows.map(([bits]) => bits!);
  expect([sgd, nulls, trains]).toEqual([0, 0, 0]);
  expect(adamW).toBeGreaterThan(50);
});

test("it shows parameters and optimizer state after each task", () => {
  const text = experiment(4).join("\n");
  expect(text).toContain("optimizer state after task1");
  expect(text).toContain("hiddenTask2.weight state: none");
  expect(text).toMatch(/hiddenTask1\.weight expAvgSq: tensor\(\[\[/);
  expect(text).toMatch(/parameters after task2\n {2}hiddenTask1\.weight: tensor\(\[\[/);
});

test("it starts from the article's weights", () => {
  // The layer at rest is printed as it was at the start.
  const { start } = JSON.parse(readFileSync(join(root, "test/oracle/seed-figures.json"), "utf8"));
  const after = experiment(1).slice(experiment(1).indexOf("parameters after task1"));
  const at = after.findIndex((line) => line.includes("hiddenTask2.weight: tensor("));
  const printed = after
    .slice(at, at + 3)
    .join(" ")
    .match(/-?\d\.\d{4}/g)!
    .map(Number);
  expect(printed).toEqual(start["hidden_task2.weight"].flat());
});
