import { NonFiniteError } from "../../base/errors.ts";
import { noGrad } from "../../tensor/autograd.ts";
import type { Classifier } from "../auto-model.ts";
import type { Text } from "../text/text-tokenizer.ts";
import { inMode } from "./in-mode.ts";
import type { Batcher } from "./text-batches.ts";

/** The logits of texts, a row each, computed in eval mode; modes are then as before. */
export async function logitsOf(
  op: string,
  model: Classifier,
  texts: readonly Text[],
  batches: Batcher,
  batch: number,
): Promise<Float32Array[]> {
  return inMode(model, false, async () => {
    const rows: Float32Array[] = [];
    for (let at = 0; at < texts.length; at += batch) {
      const inputs = batches(texts.slice(at, at + batch));
      const logits = noGrad(() => model.forward(inputs).to("f32"));
      const values = Float32Array.from((await logits.data()) as Float32Array);
      const wrong = values.findIndex((value) => !Number.isFinite(value));
      const classes = model.labels.length;
      if (wrong >= 0)
        throw new NonFiniteError(
          `${op}: text ${at + Math.floor(wrong / classes)} has the logit ${values[wrong]}; the model's weights are not finite, or its values too large`,
        );
      for (let row = 0; row < values.length; row += classes) rows.push(values.subarray(row, row + classes));
    }
    return rows;
  });
}
