import { noGrad } from "../../tensor/autograd.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { aboveCut } from "../stages.ts";
import type { Encoded } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";
import { inputsOf } from "./objectives/inputs.ts";
import type { KeptPrefix } from "./prefix/kept-prefix.ts";
import type { Rows } from "./rows.ts";
import type { TextBatches } from "./text-batches.ts";

/** How rows go into a model: as tokens; or, where the lowest stages stay as they are, as what those gave for them before. */
export class Entry {
  readonly batches: TextBatches;
  readonly #model: TextModel<Tensor>;
  /** What the lowest stages gave; null: rows are tokens. */
  kept: KeptPrefix | null = null;

  constructor(model: TextModel<Tensor>, batches: TextBatches) {
    this.#model = model;
    this.batches = batches;
  }

  /** A row, which is not made anew where it is kept. */
  rowOf<R extends Encoded>(rows: Rows<R>, place: number): R {
    return this.kept === null ? rows.row(place) : this.kept.rowOf(rows, place);
  }

  /** Rows as what `logits` takes, padded to one length. `own`: those at the places, where they have been made already. */
  async inputsOf<R extends Encoded>(
    rows: Rows<R>,
    places: readonly number[],
    own: readonly R[] = places.map((place) => this.rowOf(rows, place)),
  ): Promise<RowInputs<R>> {
    const { batches, kept } = this;
    const length = batches.lengthOf(own);
    if (kept !== null) return { rows: own, length, inputs: await kept.inputsOf(rows, places, length) };
    return { rows: own, length, inputs: inputsOf(batches, own) };
  }

  /** The logits of rows that went in so, as f32: of all tokens, or at some places of a model that finds tokens. */
  logits(inputs: readonly Tensor[], places: Tensor | null = null): Tensor {
    const [first, second, third] = inputs as [Tensor, Tensor | undefined, Tensor | undefined];
    const { kept } = this;
    const logits =
      kept === null
        ? this.#model.forward({ inputIds: first, attentionMask: second!, tokenTypeIds: third! }, places)
        : aboveCut(this.#model, kept.cut, first.to(kept.dtype), second ?? null);
    return logits.to("f32");
  }

  /** As `logits`, without gradients. */
  found(inputs: readonly Tensor[], places: Tensor | null = null): Tensor {
    return noGrad(() => this.logits(inputs, places));
  }
}

/** Rows, and what a model takes of them. */
export interface RowInputs<R extends Encoded> {
  readonly rows: readonly R[];
  /** To how many tokens they are padded. */
  readonly length: number;
  readonly inputs: readonly Tensor[];
}
