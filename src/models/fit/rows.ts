import type { Encoded } from "../text/text-tokenizer.ts";

/** Texts that go through a model: how many, and the tokens of each. */
export interface Rows<R extends Encoded> {
  readonly length: number;
  row(index: number): R;
}
