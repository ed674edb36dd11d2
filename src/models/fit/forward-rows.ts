import { NonFiniteError } from "../../base/errors.ts";
import { noGrad } from "../../tensor/autograd.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Encoded, TokenBatch } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";
import { inMode } from "./in-mode.ts";
import type { TextBatches } from "./text-batches.ts";

/** Rows that are made at a time, in batches, of which those of like lengths then go together. */
const sorted = 64;

/** Texts that go through a model: how many, and the tokens of each. */
export interface Rows<R extends Encoded> {
  readonly length: number;
  row(index: number): R;
}

/**
 * Runs rows through a model in eval mode, without gradients; modes are then as before. Rows of like lengths share a batch,
 * so `take` sees them in another order: it is told which they are.
 */
export async function forwardRows<R extends Encoded>(
  model: TextModel<Tensor>,
  rows: Rows<R>,
  { batch: make }: TextBatches,
  batch: number,
  take: (of: {
    logits: Tensor;
    tokens: TokenBatch;
    rows: readonly R[];
    places: readonly number[];
  }) => Promise<void>,
): Promise<void> {
  await inMode(model, false, async () => {
    for (let from = 0; from < rows.length; from += sorted * batch) {
      const count = Math.min(sorted * batch, rows.length - from);
      const some = Array.from({ length: count }, (_, i) => ({ place: from + i, row: rows.row(from + i) }));
      some.sort((a, b) => a.row.ids.length - b.row.ids.length);
      for (let at = 0; at < count; at += batch) {
        const chosen = some.slice(at, at + batch);
        const own = chosen.map(({ row }) => row);
        const tokens = make(own);
        const logits = noGrad(() => model.forward(tokens).to("f32"));
        await take({ logits, tokens, rows: own, places: chosen.map(({ place }) => place) });
      }
    }
  });
}

/** The logits of rows, in their order, of a model that gives some for each text. */
export async function logitsOf(
  op: string,
  model: TextModel<Tensor>,
  rows: Rows<Encoded>,
  batches: TextBatches,
  batch: number,
): Promise<Float32Array[]> {
  const found = Array<Float32Array>(rows.length);
  await forwardRows(model, rows, batches, batch, async ({ logits, places }) => {
    const values = await finiteValues(op, logits, places);
    const size = values.length / places.length;
    for (const [i, place] of places.entries()) found[place] = values.slice(i * size, (i + 1) * size);
  });
  return found;
}

/** What a tensor of some texts holds; throws `NonFiniteError` where that is no number. */
export async function finiteValues(
  op: string,
  tensor: Tensor,
  places: readonly number[],
): Promise<Float32Array> {
  const values = (await tensor.data()) as Float32Array;
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return values;
  const place = places[Math.floor(wrong / (values.length / places.length))];
  throw new NonFiniteError(
    `${op}: the model gives ${values[wrong]} for text ${place}; its weights are not finite, or its values too large`,
  );
}
