import { ArgumentError, GradientError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { noGrad } from "../tensor/autograd.ts";
import { fromArray } from "../tensor/create.ts";
import { gradient, Tensor } from "../tensor/tensor.ts";
import { indexText } from "./assert-close.ts";

/** A function of tensors to be checked. */
export type Checked = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** Options of `gradcheck`, with PyTorch's defaults. */
export interface GradcheckOptions {
  /** How far inputs are moved for the numerical gradient; default 1e-6. */
  eps?: number;
  /** Default 1e-5. */
  atol?: number;
  /** Default 1e-3. */
  rtol?: number;
  /** Whether to throw for a gradient that differs (the default), or to give false. */
  raiseException?: boolean;
  /** How far results and gradients may differ when everything is done again; default 0. */
  nondetTol?: number;
  /** Once it is aborted nothing further is compared, and the signal's reason is thrown. */
  signal?: AbortSignal;
}

/** By what names a check speaks of itself and of what it compares. */
export interface CheckNames {
  readonly check: string;
  readonly output: (o: number) => string;
  readonly input: (i: number) => string;
}

const names: CheckNames = {
  check: "gradcheck",
  output: (o) => `output ${o}`,
  input: (i) => `input ${i}`,
};

/** The options that there are. */
export const optionChecks = {
  eps: null,
  atol: null,
  rtol: null,
  raiseException: null,
  nondetTol: null,
  signal: null,
};

/**
 * Compares the gradients that autograd gives for a function with central differences, for every output and every input
 * that requires a gradient: |autograd − differences| ≤ atol + rtol · |differences| for each element by each element.
 *
 * Takes a function of tensors that gives one or several, and its inputs, of which those that require a gradient are
 * leaves of f64; the function must give the same each time. Gives true; false with `raiseException: false` where a
 * gradient differs. Throws `GradientError` that names the first input and element that differ, and where they differ most;
 * `ArgumentError` for inputs that cannot be checked.
 * Source: `torch.autograd.gradcheck`.
 * Example: `await gradcheck((x) => x.sin(), [tensor([0.3], { dtype: "f64", requiresGrad: true })])`.
 */
export const gradcheck = async (
  fn: Checked,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<boolean> => {
  refuseOptions("gradcheck", options, optionChecks);
  return checkGradients(fn, inputs, options, names);
};

/** The work of `gradcheck`, under other names. */
export async function checkGradients(
  fn: Checked,
  inputs: readonly Tensor[],
  options: GradcheckOptions,
  names: CheckNames,
): Promise<boolean> {
  const places = checkable(inputs, names);
  try {
    await compare(fn, inputs, places, options, names);
    return true;
  } catch (error) {
    if (error instanceof GradientError && options.raiseException === false) return false;
    throw error;
  }
}

/** The inputs whose gradients are checked. */
export function checkable(inputs: readonly Tensor[], { check, input }: CheckNames): readonly number[] {
  const places = inputs.flatMap((x, i) => (x.requiresGrad ? [i] : []));
  if (places.length === 0)
    throw new ArgumentError(`${check}: no input requires a gradient; set requiresGrad on one`);
  for (const i of places)
    if (inputs[i]!.dtype !== "f64" || !inputs[i]!.isLeaf)
      throw new ArgumentError(
        `${check}: ${input(i)} is ${inputs[i]!.isLeaf ? inputs[i]!.dtype : "made of others"}; differences need leaves of f64`,
      );
  return places;
}

async function compare(
  fn: Checked,
  inputs: readonly Tensor[],
  places: readonly number[],
  { eps = 1e-6, atol = 1e-5, rtol = 1e-3, nondetTol = 0, signal }: GradcheckOptions,
  names: CheckNames,
): Promise<void> {
  const leaves = places.map((i) => inputs[i]!);
  const [outputs, again] = [listOf(fn(...inputs)), listOf(fn(...inputs))];
  await refuseOthers(outputs, again, nondetTol, names);
  for (const [o, output] of outputs.entries()) {
    const found = await jacobians(output, leaves, signal);
    const repeated = await jacobians(again[o]!, leaves, signal);
    for (const [k, i] of places.entries()) {
      const at = (entry: number): string => {
        const { numel, shape } = leaves[k]!;
        const [e, j] = [Math.floor(entry / numel), entry % numel];
        return `${names.output(o)} ${indexText(e, output.shape)} by ${names.input(i)} ${indexText(j, shape)}`;
      };
      const other = found[k]!.findIndex((x, entry) => isApart(x, repeated[k]![entry]!, nondetTol));
      if (other >= 0)
        throw new GradientError(
          `${names.check}: ${at(other)}: autograd gives ${found[k]![other]}, and ${repeated[k]![other]} when it is asked again; ` +
            "a backward pass must give the same each time, to within nondetTol",
        );
      const numeric = await differences(fn, inputs, i, o, output.numel, eps, signal);
      refuseWrong(found[k]!, numeric, { atol, rtol }, at, names);
    }
  }
}

const isApart = (a: number, b: number, tolerance: number): boolean =>
  !Object.is(a, b) && !(Math.abs(a - b) <= tolerance);

/** Throws for a function that gives something else when it is called again. */
async function refuseOthers(
  outputs: readonly Tensor[],
  again: readonly Tensor[],
  tolerance: number,
  { check, output }: CheckNames,
): Promise<void> {
  for (const [o, first] of outputs.entries()) {
    const [a, b] = [await first.data(), (await again[o]?.data()) ?? []];
    const e = a.findIndex((x: number, i: number) => isApart(x, b[i]!, tolerance));
    if (e >= 0)
      throw new GradientError(
        `${check}: ${output(o)} ${indexText(e, first.shape)} is ${a[e]}, and ${b[e]} when the function is called again; ` +
          "it must give the same each time, to within nondetTol: call manualSeed() in it where it draws random numbers",
      );
  }
}

/** Throws for derivatives that are not those that differences give. */
function refuseWrong(
  found: Float64Array,
  numeric: Float64Array,
  { atol, rtol }: { atol: number; rtol: number },
  at: (entry: number) => string,
  { check }: CheckNames,
): void {
  const wrong: number[] = [];
  let worst = 0;
  const excess = (entry: number): number => {
    const by = Math.abs(found[entry]! - numeric[entry]!) - (atol + rtol * Math.abs(numeric[entry]!));
    return Number.isNaN(by) ? Number.POSITIVE_INFINITY : by;
  };
  for (let entry = 0; entry < found.length; entry++) {
    if (excess(entry) <= 0) continue;
    if (wrong.length === 0 || excess(entry) > excess(worst)) worst = entry;
    wrong.push(entry);
  }
  if (wrong.length === 0) return;
  const told = (entry: number): string =>
    `${at(entry)}: autograd gives ${found[entry]}, differences ${numeric[entry]}`;
  const more =
    wrong.length === 1 ? "" : `; ${wrong.length} of ${found.length} such pairs differ, most ${told(worst)}`;
  throw new GradientError(`${check}: ${told(wrong[0]!)}${more}`);
}

const listOf = (result: Tensor | readonly Tensor[]): readonly Tensor[] =>
  result instanceof Tensor ? [result] : result;

/** What autograd gives: for each leaf, the derivatives of each element of an output by each element of the leaf. */
async function jacobians(
  output: Tensor,
  leaves: readonly Tensor[],
  signal: AbortSignal | undefined,
): Promise<Float64Array[]> {
  const found = leaves.map((leaf) => new Float64Array(output.numel * leaf.numel));
  if (!output.requiresGrad) return found;
  for (let e = 0; e < output.numel; e++) {
    signal?.throwIfAborted();
    const rows = gradient(output, leaves, { gradient: oneHot(output, e) });
    for (const [k, row] of rows.entries()) if (row !== null) found[k]!.set(await row.data(), e * row.numel);
  }
  return found;
}

/** Weights that pick one element. */
function oneHot(like: Tensor, element: number): Tensor {
  const weights = new Float64Array(like.numel);
  weights[element] = 1;
  return fromArray(weights, like.shape, { dtype: like.dtype });
}

/** What central differences give for output `o`, of so many elements, by input `i`. */
async function differences(
  fn: Checked,
  inputs: readonly Tensor[],
  i: number,
  o: number,
  elements: number,
  eps: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const { numel, shape, dtype } = inputs[i]!;
  const data = (await inputs[i]!.data()).slice();
  const valuesAt = async (j: number, by: number): Promise<ArrayLike<number>> => {
    const moved = data.slice();
    moved[j] = moved[j]! + by;
    const given = inputs.map((input, k) => (k === i ? fromArray(moved, shape, { dtype }) : input));
    return noGrad(() => listOf(fn(...given))[o]!).data();
  };
  const found = new Float64Array(elements * numel);
  for (let j = 0; j < numel; j++) {
    signal?.throwIfAborted();
    const [above, below] = [await valuesAt(j, eps), await valuesAt(j, -eps)];
    for (let e = 0; e < elements; e++) found[e * numel + j] = (above[e]! - below[e]!) / (2 * eps);
  }
  return found;
}
