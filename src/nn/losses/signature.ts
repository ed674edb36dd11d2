import * as kind from "../../tensor/argument-kinds.ts";
import { type Signature, takes } from "../../tensor/signature.ts";

const reduction = kind.oneOf("none", "mean", "sum");
/** A weight that may be left out. */
export const weight: kind.Kind = kind.nullable(kind.tensor);

/** What a loss takes: tensors, by name, and options, of which each loss has a reduction. */
export const takesLoss = (
  tensors: readonly string[],
  options: { readonly [name: string]: kind.Kind } = {},
): Signature =>
  takes(Object.fromEntries(tensors.map((name) => [name, kind.tensor])), { reduction, ...options });

/** As `takesLoss`, of an input and a target. */
export const takesPair = (options: { readonly [name: string]: kind.Kind } = {}): Signature =>
  takesLoss(["input", "target"], options);
