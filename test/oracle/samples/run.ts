import { isFloat } from "../../../src/base/dtype.ts";
import { ThawError } from "../../../src/base/errors.ts";
import * as nn from "../../../src/nn/index.ts";
import * as thaw from "../../../src/tensor/index.ts";
import { Tensor } from "../../../src/tensor/index.ts";
import { type Call, callOf } from "./calls.ts";
import { type Closeness, difference, show } from "./compare.ts";
import { type Arg, argumentOf, isWritten, PythonFloat, tensorOf, type Written } from "./decode.ts";

/** One call of an operation, and what PyTorch gives for it. */
export interface Sample extends Closeness {
  op: string;
  kind: "sample" | "extreme" | "promotion" | "error";
  args: Record<string, Arg>;
  /** Outputs; absent where the call must be refused. */
  out?: Arg[];
  cot?: Written[];
  grads?: (Written | null)[];
  /** What PyTorch says when it refuses. */
  message?: string;
}

/** thaw has no such operation, or no such argument. */
export class Missing extends Error {}

type Args = Record<string, unknown>;

/** Arguments that are called otherwise: PyTorch has several ways to say them. */
const adapted: Record<string, (args: Args) => Args> = {
  "masked.var": unbiased,
  "masked.std": unbiased,
  var: unbiased,
  std: unbiased,
  var_mean: unbiased,
  std_mean: unbiased,
  to: ({ input, other, dtype }) => ({
    input,
    dtype: dtype ?? dtypeAmong([other].flat()) ?? (input as Tensor).dtype,
  }),
  arange: ({ start, end, ...rest }) =>
    end === undefined || end === null ? { start: 0, end: start, ...rest } : { start, end, ...rest },
};

/** What `to` is given: a dtype, a tensor to be like, or a device, which there is but one of. */
function dtypeAmong(given: readonly unknown[]): unknown {
  const like = given.find((x) => x instanceof Tensor) as Tensor | undefined;
  return like?.dtype ?? given.find((x) => typeof x === "string" && x !== "cpu");
}

function unbiased({ unbiased: flag, ...rest }: Args): Args {
  return flag === undefined ? rest : { ...rest, correction: flag ? 1 : 0 };
}

/** The parameters that are operands, where a whole number of Python's may be a float; options but for bounds are not. */
const operands = new Set(["other", "exponent", "min", "max", "weight", "end", "value"]);
const asFloat = (thaw as Record<string, unknown>).float as ((x: number) => unknown) | undefined;

function plain(name: string, value: unknown): unknown {
  if (value instanceof PythonFloat)
    return operands.has(name) && asFloat !== undefined ? asFloat(value.value) : value.value;
  if (Array.isArray(value)) return value.map((one) => plain("", one));
  return value;
}

/** What thaw gives for a call; a number may come first as a scalar tensor where `wraps`. */
export function called(op: string, given: Args, wraps = true): unknown {
  const call = callOf(op);
  if (call === undefined) throw new Missing(`no way to call ${op}`);
  const args = adapted[op.replace(/\/.*/, "")]?.(given) ?? given;
  const known = new Set([call.on, ...call.positional.map((p) => p.name), ...call.options.map(([, p]) => p)]);
  for (const name of Object.keys(args))
    if (!known.has(name) && args[name] !== null && args[name] !== undefined && !harmless(name, args[name]))
      throw new Missing(`no argument ${name} of ${call.name}`);
  return apply(call, args, wraps);
}

/** What has the default's meaning, or says how and not what. */
const harmless = (name: string, value: unknown): boolean =>
  value === false || (name === "mode" && value === "constant") || (name === "training" && value === true);

function apply(call: Call, args: Args, wraps: boolean): unknown {
  const positional = call.positional.flatMap(({ name, spread }) => {
    const value = plain(
      call.name === "arange" || call.name === "linspace" ? "" : call.name === "where" ? "other" : name,
      args[name] ?? undefined,
    );
    return spread ? (value as unknown[]) : [value];
  });
  const options: Args = {};
  for (const [option, name] of call.options) {
    const value = plain(/^(min|max)$/.test(name) ? name : "", args[name] ?? undefined);
    if (value !== undefined) options[option] = value;
  }
  if (call.options.length > 0 && Object.keys(options).length > 0) positional.push(options);
  else while (positional.length > 0 && positional.at(-1) === undefined) positional.pop();
  if (call.on === null) return functionOf(call.name)(...positional);
  const on = wraps ? firstOperand(args[call.on], positional[0]) : args[call.on];
  if (!(on instanceof Tensor)) throw new Missing(`${call.name} of ${show(on)}, which is no tensor`);
  if (!(call.name in on)) throw new Missing(`no method ${call.name}`);
  if (call.property) return (on as unknown as Record<string, unknown>)[call.name];
  return (on as unknown as Record<string, (...a: unknown[]) => unknown>)[call.name]!(...positional);
}

/**
 * What a method is called on. A number that comes first in PyTorch is written as a scalar tensor, which promotes as a
 * number does but for a float's dtype: that is the other operand's.
 */
function firstOperand(on: unknown, other: unknown): unknown {
  if (!(other instanceof Tensor)) return on;
  if (typeof on === "boolean" || (typeof on === "number" && Number.isInteger(on)))
    return thaw.tensor(on, { dtype: typeof on === "boolean" ? "bool" : "i32" });
  const value = on instanceof PythonFloat ? on.value : on;
  return typeof value === "number"
    ? thaw.tensor(value, { dtype: isFloat(other.dtype) ? other.dtype : "f32" })
    : on;
}

function functionOf(name: string): (...args: unknown[]) => unknown {
  const [space, key] = name.includes(".") ? (name.split(".") as [string, string]) : ["", name];
  const of = { "": thaw, nn, linalg: thaw.linalg, masked: thaw.masked }[space];
  const found = (of as Record<string, unknown> | undefined)?.[key];
  if (typeof found !== "function") throw new Missing(`no function ${name}`);
  return found as (...args: unknown[]) => unknown;
}

const outputsOf = (made: unknown): unknown[] =>
  made instanceof Tensor || typeof made !== "object" || made === null
    ? [made]
    : Array.isArray(made)
      ? made
      : Object.values(made);

/** A sample whose results have been asked for, and are yet to be read. */
export type Asked = () => string | null;

/** What is wrong with what thaw gives for a sample, or null. */
export const failureOf = (sample: Sample): string | null => asked(sample)();

/**
 * Asks for what a sample gives, and has it kept, so that the results of many can be computed in one go; reading them says
 * what is wrong, or null.
 */
export function asked(sample: Sample): Asked {
  if (sample.kind === "error") return () => refusal(sample);
  return guarded(() => {
    const leaves: Tensor[] = [];
    const args = Object.fromEntries(Object.entries(sample.args).map(([k, v]) => [k, argumentOf(v, leaves)]));
    const outputs = outputsOf(called(sample.op, args));
    for (const out of outputs) if (out instanceof Tensor) out.keep();
    const expected = sample.out!;
    if (outputs.length !== expected.length)
      return () => `${outputs.length} results, PyTorch's ${expected.length}`;
    const grads = sample.grads === undefined ? null : guarded(() => gradients(sample, outputs, leaves));
    return guarded(() => () => {
      for (const [i, want] of expected.entries()) {
        const wrong = isWritten(want)
          ? difference(outputs[i], want, sample)
          : plainDifference(outputs[i], want);
        if (wrong !== null) return expected.length > 1 ? `result ${i}: ${wrong}` : wrong;
      }
      return grads?.() ?? null;
    });
  });
}

/** What asks, and what it then reads, with an error as what is wrong. */
function guarded(ask: () => Asked): Asked {
  const said = (error: unknown): string => {
    const { name, message } = error as Error;
    return error instanceof Missing ? `missing: ${message}` : `${name}: ${message.split("\n")[0]}`;
  };
  try {
    const read = ask();
    return () => {
      try {
        return read();
      } catch (error) {
        return said(error);
      }
    };
  } catch (error) {
    const wrong = said(error);
    return () => wrong;
  }
}

function plainDifference(got: unknown, want: Arg): string | null {
  const wanted = plain("", argumentOf(want, []));
  const near =
    Object.is(got, wanted) ||
    (typeof got === "number" &&
      typeof wanted === "number" &&
      Math.abs(got - wanted) <= 1e-6 * Math.abs(wanted));
  return near ? null : `${show(got)}, PyTorch's ${show(wanted)}`;
}

function gradients(sample: Sample, outputs: unknown[], leaves: Tensor[]): Asked {
  const differentiable = outputs.filter((_, i) => (sample.out![i] as Written).g === 1) as Tensor[];
  const pulled = differentiable
    .map((out, i) => [out, cotangentOf(sample.cot![i]!, out)] as const)
    // What nothing has gone into has a gradient of zeros, or none.
    .filter(([out]) => out.requiresGrad);
  const sums = new Map<Tensor, Tensor>();
  const [first] = pulled;
  if (first !== undefined) {
    const found =
      pulled.length === 1
        ? thaw.gradient(first[0], leaves, { gradient: first[1] })
        : thaw.gradient(
            pulled.map(([out, cot]) => out.mul(cot).sum()).reduce((a, b) => a.add(b)),
            leaves,
          );
    for (const [j, leaf] of leaves.entries()) if (found[j]) sums.set(leaf, found[j]);
  }
  for (const sum of sums.values()) sum.keep();
  return () => {
    for (const [i, want] of sample.grads!.entries()) {
      const wrong = gradientDifference(sums.get(leaves[i]!), want, sample);
      if (wrong !== null) return `gradient ${i}: ${wrong}`;
    }
    return null;
  };
}

/** No gradient, and one of zeros, are the same here: what PyTorch has of the two is a matter of its formulas. */
export function gradientDifference(
  got: Tensor | null | undefined,
  want: Written | null,
  closeness: Closeness,
): string | null {
  if (want !== null && got) return difference(got, want, closeness, 2);
  const some = want === null ? got : tensorOf(want, false);
  if (!some?.dataSync().some((x) => x !== 0)) return null;
  return want === null ? "one where PyTorch has none" : "none";
}

/** The cotangent in the dtype that the output has here. */
const cotangentOf = (written: Written, out: Tensor): Tensor => {
  const made = tensorOf(written, false);
  return made.dtype === out.dtype ? made : made.to(out.dtype);
};

/** Null where the call is refused by an error that is one of thaw's own. */
function refusal(sample: Sample): string | null {
  try {
    const args = Object.fromEntries(Object.entries(sample.args).map(([k, v]) => [k, argumentOf(v, [])]));
    for (const out of outputsOf(called(sample.op, args, false))) if (out instanceof Tensor) out.dataSync();
  } catch (error) {
    if (error instanceof ThawError || error instanceof Missing) return null;
    return `${(error as Error).name}, which is no named error: ${(error as Error).message.split("\n")[0]}`;
  }
  return `accepted; PyTorch: ${sample.message}`;
}
