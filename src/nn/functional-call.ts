import { ArgumentError, StateDictError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { noteSurroundings } from "../engine/cell.ts";
import { currentTrace } from "../engine/trace.ts";
import { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Module, type StateDict } from "./module.ts";
import { stateDictEntries } from "./state-dict-entries.ts";

/** A module with a forward pass of its own arguments. */
type Callable = Module & { forward(...args: never[]): unknown };

let calls = 0;

/**
 * Runs a module's forward pass with other values in place of its parameters and buffers, by path:
 * `torch.func.functional_call`. What is not named is the module's own. Of a tied weight one path is enough. Gradients go
 * to what is given, whatever of the module is frozen, and what the forward pass writes to a buffer that is given goes
 * there; the module is as it was when this returns or throws.
 *
 * Takes tensors of the shapes and dtypes of what they stand for, in one state dict or several without a path in common.
 * Throws `StateDictError` for a path that is not there or a tensor that does not fit, before anything is run.
 * Example: `functionalCall(net, { "head.weight": fast }, x)`.
 */
export function functionalCall<M extends Callable>(
  module: M,
  weights: StateDict | readonly StateDict[],
  ...args: Parameters<M["forward"]>
): ReturnType<M["forward"]> {
  if (!(module instanceof Module) || typeof module.forward !== "function")
    throw new ArgumentError("functionalCall: its first argument is a module that has a forward pass");
  const standIns = standInsFor(module, weights);
  const before = new Map([...standIns.keys()].map((member) => [member, member.standIn]));
  // A captured function that is called meanwhile must not replay this later, nor here what it has recorded before.
  const notes = !currentTrace().recording;
  if (notes) noteSurroundings("weights", String(++calls));
  for (const [member, tensor] of standIns) member.standIn = tensor;
  let result: unknown;
  try {
    result = module.forward(...(args as never[]));
  } finally {
    for (const [member, own] of before) member.standIn = own;
    if (notes) noteSurroundings("weights", "");
  }
  if (!isPromiseLike(result)) return result as ReturnType<M["forward"]>;
  disown(result);
  throw new ArgumentError(
    `functionalCall: forward of ${module.constructor.name} gave a promise; it must give its result at once`,
  );
}

/** What is to stand for which parameter or buffer; throws `StateDictError` that lists all that does not fit. */
function standInsFor(module: Module, weights: StateDict | readonly StateDict[]): Map<Stored, Tensor> {
  const walk = { removeDuplicate: false };
  const members = new Map<string, Stored>([...module.namedParameters(walk), ...module.namedBuffers(walk)]);
  const standIns = new Map<Stored, Tensor>();
  const paths = new Map<Stored, string>();
  const seen = new Set<string>();
  const wrong: string[] = [];
  for (const dict of Array.isArray(weights) ? (weights as readonly StateDict[]) : [weights as StateDict])
    for (const [path, tensor] of stateDictEntries("functionalCall", dict) as [string, Tensor][]) {
      const member = members.get(path);
      if (seen.has(path)) wrong.push(`${path} is in two of the dicts`);
      seen.add(path);
      if (member === undefined) {
        wrong.push(`there is no ${path}; nearest: ${nearest(path, [...members.keys()], 3).join(", ")}`);
        continue;
      }
      const problem = problemOf(path, member, tensor);
      if (problem !== null) {
        wrong.push(problem);
        continue;
      }
      const other = standIns.get(member);
      if (other !== undefined && other !== tensor)
        wrong.push(`${paths.get(member)} and ${path} are one weight, and are given two; give one of them`);
      standIns.set(member, tensor);
      paths.set(member, path);
    }
  if (wrong.length > 0)
    throw new StateDictError(
      `functionalCall: the weights do not fit ${module.constructor.name}; nothing was run.\n  ${wrong.join("\n  ")}`,
    );
  // What is written in place of a parameter or buffer that is given goes to a tensor of its own: that one may be frozen.
  return new Map(
    [...standIns].map(([member, tensor]) => [
      member,
      tensor instanceof Stored ? new Tensor(tensor.node) : tensor,
    ]),
  );
}

function problemOf(path: string, { shape, dtype }: Stored, tensor: unknown): string | null {
  if (!(tensor instanceof Tensor)) return `${path} is ${typeof tensor}, no tensor`;
  const text = (t: { shape: readonly number[]; dtype: string }): string => t.dtype + shapeText(t.shape);
  if (!sameShape(tensor.shape, shape))
    return `${path} is ${text(tensor)}, the module has ${text({ shape, dtype })}`;
  if (tensor.dtype === dtype) return null;
  return `${path} is ${text(tensor)}, the module has ${text({ shape, dtype })}: cast it with to("${dtype}")`;
}
