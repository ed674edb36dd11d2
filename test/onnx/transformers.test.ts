import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { noGrad } from "thaw";
import { autoModel } from "thaw/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyFolder } from "../models/tiny-folder.ts";
import { isInstalled } from "./runtime.ts";

// A saved folder in transformers.js, without network.

const top = mkdtempSync(join(tmpdir(), "thaw-onnx-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const texts = ["the quick brown fox", "a text editor, with plugins and a library of sounds", "dog"];

// biome-ignore lint/suspicious/noExplicitAny: what it is of types is another package's, which need not be installed.
type Transformers = any;

describe.skipIf(!isInstalled)("transformers.js opens what savePretrained writes", () => {
  let transformers: Transformers;
  let base: string;

  beforeAll(async () => {
    const require = createRequire(new URL("package.json", import.meta.url));
    transformers = await import(pathToFileURL(require.resolve("@huggingface/transformers")).href);
    transformers.env.allowRemoteModels = false;
    transformers.env.localModelPath = `${top}/`;
    base = await tinyFolder(top);
  });

  test.each(["fp32", "q8"] as const)("a classifier, %s", async (dtype) => {
    const model = await autoModel(base, { task: "classify", labels: ["animals", "software", "neither"] });
    await model.savePretrained(join(top, `classifier-${dtype}`), { onnx: [dtype] });
    const pipe = await transformers.pipeline("text-classification", `classifier-${dtype}`, { dtype });
    const got: { label: string; score: number }[][] = await pipe(texts, { top_k: 3 });
    const wanted = await model.predict(texts);
    for (const [i, scores] of got.entries()) {
      const { label, score } = wanted[i] as { label: string; score: number };
      expect(Math.abs(scores.find((s) => s.label === label)!.score - score)).toBeLessThan(
        dtype === "q8" ? 0.05 : 1e-5,
      );
      if (dtype === "fp32") expect(scores[0]!.label).toBe(label);
    }
  });

  test("an encoder", async () => {
    const model = (await autoModel(base, { task: "encode" })).eval();
    await model.savePretrained(join(top, "encoder"), { onnx: ["fp32"] });
    const pipe = await transformers.pipeline("feature-extraction", "encoder", { dtype: "fp32" });
    const got = await pipe(texts[1]);
    const encoded = model.tokenizer!.encode([texts[1]!]);
    expect(got.dims).toEqual([1, encoded.inputIds.shape[1], 16]);
    const wanted = await noGrad(() => model.forward(encoded).lastHiddenState).data();
    expect(Math.max(...Array.from(wanted, (x, i) => Math.abs(x - got.data[i])))).toBeLessThan(1e-5);
  });
});
