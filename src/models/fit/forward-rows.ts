import { NonFiniteError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Encoded } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";
import { chunks } from "./deal.ts";
import type { Entry, RowInputs } from "./entry.ts";
import { inMode } from "./in-mode.ts";
import type { Rows } from "./rows.ts";

/** Rows that are made at a time, in batches, of which those of like lengths then go together. */
const sorted = 64;

/** Of a model that finds tokens, at which places of a batch it is to, with whatever else is to be known of these; null: at all. */
type Asked = { readonly places: Tensor } | null;

/** What a model gives for rows, which are said by their places too. */
interface Taken<R extends Encoded, A extends Asked> extends RowInputs<R> {
  readonly logits: Tensor;
  readonly places: readonly number[];
  readonly asked: A;
}

/**
 * Runs rows through a model in eval mode, without gradients; modes are then as before. Rows of like lengths share a batch,
 * so `take` sees them in another order: it is told which they are.
 */
export async function forwardRows<R extends Encoded, A extends Asked = null>(
  model: TextModel<Tensor>,
  entry: Entry,
  rows: Rows<R>,
  batch: number,
  take: (of: Taken<R, A>) => Promise<void>,
  askedOf: (rows: readonly R[], length: number) => A = () => null as A,
): Promise<void> {
  await inMode(model, false, async () => {
    for (let from = 0; from < rows.length; from += sorted * batch) {
      const count = Math.min(sorted * batch, rows.length - from);
      const some = Array.from({ length: count }, (_, i) => from + i);
      const own = some.map((place) => entry.rowOf(rows, place));
      some.sort((a, b) => own[a - from]!.ids.length - own[b - from]!.ids.length);
      for (const places of chunks(some, batch)) {
        const made = await entry.inputsOf(
          rows,
          places,
          places.map((place) => own[place - from]!),
        );
        const asked = askedOf(made.rows, made.length);
        const logits = entry.found(made.inputs, asked?.places ?? null);
        await take({ ...made, logits, places, asked });
      }
    }
  });
}

/** The logits of rows, in their order, of a model that gives some for each text. */
export async function logitsOf(
  op: string,
  model: TextModel<Tensor>,
  entry: Entry,
  rows: Rows<Encoded>,
  batch: number,
): Promise<Float32Array[]> {
  const found = Array<Float32Array>(rows.length);
  await forwardRows(model, entry, rows, batch, async ({ logits, places }) => {
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
