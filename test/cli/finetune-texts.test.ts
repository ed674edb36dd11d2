import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { FinetuneOptions } from "../../src/cli/finetune/options.ts";
import { readTexts } from "../../src/cli/finetune/texts.ts";

// What the command makes of files of texts.

const top = mkdtempSync(join(tmpdir(), "thaw-finetune-texts-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

async function textsOf(rows: readonly object[], options: Partial<FinetuneOptions> = {}) {
  const data = join(top, "data.jsonl");
  writeFileSync(data, rows.map((row) => JSON.stringify(row)).join("\n"));
  return readTexts({ data, ...options } as FinetuneOptions, {});
}

test("labels that look like numbers are classes where that is asked for", async () => {
  const rows = [
    { text: "good", label: 4.5 },
    { text: "bad", label: 2 },
  ];
  expect((await textsOf(rows)).task).toBe("regress");
  const asked = await textsOf(rows, { task: "classify" });
  expect([asked.task, asked.labels]).toEqual(["classify", ["2", "4.5"]]);
});

test("where a label has one text, be it there twice, each side of a split gets what comes", async () => {
  const rows = Array.from({ length: 20 }, (_, i) => ({ text: `text ${i}`, label: i % 2 ? "odd" : "even" }));
  const rare = { text: "rare", label: "rare" };
  const split = await textsOf([...rows, rare, rare], { valSplit: 0.2, seed: 3 });
  expect(split.labels).toEqual(["even", "odd", "rare"]);
  expect(split.train.length + split.eval!.length).toBe(22);
  const whole = await textsOf(rows, { valSplit: 0.2, seed: 3 });
  expect(whole.eval!.counts()).toEqual([2, 2]);
});
