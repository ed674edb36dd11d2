import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autoModel } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { minilmFixture, tensorOf } from "./fixtures/embeddings/fixture.ts";

// Runs where MINILM names the folder of MiniLM's real weights (fixtures/embeddings/make-minilm.py says where they are from).

const weights = process.env.MINILM ?? "";
const top = mkdtempSync(join(tmpdir(), "thaw-minilm-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

test("embeddings of MiniLM are those of sentence-transformers, from its folder and from one that was saved", async () => {
  const { texts, embeddings } = minilmFixture();
  const model = await autoModel(weights, { task: "embed" });
  expect([model.pooling, model.normalizes, model.tokenizer!.settings.maxLength]).toEqual([
    ["mean"],
    true,
    256,
  ]);
  const own = await model.encode(texts);
  const worst = (await own.sub(tensorOf(embeddings)).abs().max().item()) as number;
  console.log(`MiniLM: ${texts.length} texts, the worst component is ${worst.toExponential(1)} off`);
  expect(worst).toBeLessThan(2e-5);
  await model.savePretrained(join(top, "saved"));
  const again = await autoModel(join(top, "saved"), { task: "embed" });
  expect(await (await again.encode(texts)).data()).toEqual(await own.data());
});
