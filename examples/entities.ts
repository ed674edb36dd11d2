// A label for each word: which words of a sentence name a program, and which a licence. The sentences are made here.
//
//   npx tsx examples/entities.ts [EPOCHS]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autoModel, fit, readData } from "thaw/models";
import { baseModel } from "./text/base-model.ts";

const [epochs = "4"] = process.argv.slice(2);
const programs = ["emacs", "vim", "gimp", "apache", "perl", "python", "mutt", "firefox"];
const licences = [
  ["gnu", "general", "license"],
  ["apache", "license"],
  ["free", "license"],
];
const sentences = [
  (a: string[], b: string[]) => [
    ["the", "O"],
    ["editor", "O"],
    ...program(a),
    ["under", "O"],
    ["the", "O"],
    ...licence(b),
  ],
  (a: string[], b: string[]) => [...licence(b), ["for", "O"], ["the", "O"], ["tool", "O"], ...program(a)],
  (a: string[]) => [["a", "O"], ["library", "O"], ["for", "O"], ...program(a), ["and", "O"], ["data", "O"]],
];

function tagged(words: readonly string[], kind: string): string[][] {
  return words.map((word, i) => [word, `${i === 0 ? "B" : "I"}-${kind}`]);
}

function program(words: string[]): string[][] {
  return tagged(words, "PROGRAM");
}

function licence(words: string[]): string[][] {
  return tagged(words, "LICENCE");
}

const lines = Array.from({ length: 240 }, (_, i) => {
  const words = sentences[i % 3]!([programs[(i * 5) % 8]!], licences[(i * 7) % 3]!);
  return JSON.stringify({
    tokens: [...words.map(([word]) => word), String(i)],
    tags: [...words.map(([, tag]) => tag), "O"],
  });
});
const folder = mkdtempSync(join(tmpdir(), "thaw-entities-"));
writeFileSync(join(folder, "sentences.jsonl"), lines.join("\n"));
const { train, test } = await readData(join(folder, "sentences.jsonl"), { split: { test: 0.25, seed: 1 } });
rmSync(folder, { recursive: true });
const model = await autoModel(await baseModel(), { task: "tag", labels: train.labels });
const run = await fit(model, {
  train,
  eval: test,
  epochs: Number(epochs),
  batch: 8,
  lr: { "classifier.**": 1e-2, "**": 5e-4 },
  seed: 1,
});
console.log(`tags: ${train.labels.join(", ")}`);
console.log(`F1 of entities: ${(100 * run.metrics!.entityF1).toFixed(1)} %`);
const words = ["the", "editor", "vim", "under", "the", "gnu", "general", "license"];
const found = await model.predict([{ words }]);
console.log(found[0]!.map(({ word, label }) => `${word}/${label}`).join(" "));
