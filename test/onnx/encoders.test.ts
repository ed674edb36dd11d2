import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ones, randint, Tensor, tensor, writeSafetensors, zeros } from "thaw";
import { autoModel, type EncoderOutput, type PretrainedModel } from "thaw/models";
import { afterAll, describe, expect, test } from "vitest";
import { type Fixture, fixture, kinds, weightsOf } from "../models/fixtures/fixture.ts";
import { isInstalled, run } from "./runtime.ts";

// Every kind of text encoder as a file, with texts of numbers and lengths that it was not recorded with.

const top = mkdtempSync(join(tmpdir(), "thaw-onnx-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

const tasks = {
  SequenceClassification: "classify",
  TokenClassification: "tag",
  MaskedLM: "maskedLM",
} as const;

const taskOf = ({ architecture }: Fixture) =>
  tasks[Object.keys(tasks).find((end) => architecture.endsWith(end)) as keyof typeof tasks] ?? "encode";

describe.skipIf(!isInstalled)("a file gives what the model gives", () => {
  test.each(kinds)("%s", async (kind) => {
    const found = fixture(kind);
    const folder = mkdtempSync(join(top, "model-"));
    writeFileSync(join(folder, "config.json"), JSON.stringify(found.config));
    writeSafetensors(join(folder, "model.safetensors"), weightsOf(found), { metadata: { format: "pt" } });
    const model = (await autoModel(folder, { task: taskOf(found) })) as PretrainedModel;
    model.train();
    await model.savePretrained(join(folder, "saved"), { onnx: ["fp32", "q8"] });
    expect(model.training, "the mode of before").toBe(true);
    model.eval();
    for (const [batch, length] of [
      [1, 2],
      [4, 5],
      [2, 3],
    ] as const) {
      const shape = [batch, length];
      const input_ids = randint(5, 20, shape);
      const attention_mask = ones(shape, { dtype: "i32" });
      const token_type_ids = zeros(shape, { dtype: "i32" });
      // The last token of all but the first text is padding.
      const isLast = tensor(
        Array.from({ length: batch * length }, (_, i) => Number(i >= length && i % length === length - 1)),
      ).reshape(shape);
      const mask = attention_mask.sub(isLast.to("i32"));
      const made = model.forward({
        inputIds: input_ids,
        attentionMask: mask,
        tokenTypeIds: token_type_ids,
      }) as Tensor | EncoderOutput;
      const wanted = made instanceof Tensor ? made : made.lastHiddenState;
      const most = Number(await wanted.abs().amax().item());
      for (const [name, bound] of [
        ["model", 1e-5],
        ["model_quantized", 0.2],
      ] as const) {
        const results = await run(join(folder, "saved", "onnx", `${name}.onnx`), {
          input_ids,
          attention_mask: mask,
          token_type_ids,
        });
        const [result] = Object.values(results);
        expect(result!.dims).toEqual(wanted.shape);
        const got = tensor(Array.from(result!.data, Number)).reshape(wanted.shape);
        const worst = await got.sub(wanted).abs().amax().item();
        expect(worst, `${name} ${shape}`).toBeLessThan(bound * Math.max(1, most));
      }
    }
  });
});
