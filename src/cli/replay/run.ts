import { indexAt } from "../../base/shape.ts";
import { crossEntropy } from "../../nn/index.ts";
import { type Parameter, Tensor, tensor } from "../../tensor/index.ts";
import type { Expected, ReplayCase, StepSpec, Value } from "./case.ts";
import { makeOptimizer, ReplayNetwork, type ReplayOptimizer } from "./network.ts";

/** The first place where a replay differs from the record. */
export interface Difference {
  readonly step: number;
  readonly what: string;
  /** Where in it, for a tensor. */
  readonly index: string;
  readonly got: number | string;
  readonly expected: number | string;
}

/** Replays a case; gives the first difference, or null if there is none. */
export function runCase(replayed: ReplayCase): Difference | null {
  const net = new ReplayNetwork(replayed);
  const parameters = new Map(net.namedParameters());
  const optimizer = makeOptimizer(replayed.optimizer, parameters);
  // Cases leak on purpose, and are expected to.
  optimizer.warnOfLeaks = false;
  for (const [i, step] of replayed.steps.entries()) {
    const { loss, untouched } = runStep(net, parameters, optimizer, step);
    const found =
      compareLoss(loss, replayed.expected[i]!) ??
      compareParameters(parameters, untouched, replayed.expected[i]!) ??
      compareState(parameters, optimizer, replayed.expected[i]!);
    if (found !== null) return { step: i, ...found };
  }
  return null;
}

/** One step; `untouched` are the values of what has no gradient and so must not move by a bit. */
function runStep(
  net: ReplayNetwork,
  parameters: ReadonlyMap<string, Parameter>,
  optimizer: ReplayOptimizer,
  { task, input, target, zeroGrad, freeze }: StepSpec,
): { loss: number; untouched: Map<string, ArrayLike<number>> } {
  const named = new Set(freeze.parameters);
  for (const [path, p] of parameters) p.requiresGrad = !(freeze.method === "requiresGrad" && named.has(path));
  const loss = crossEntropy(net.forward(tensor(input), task), tensor(target, { dtype: "i32" }));
  optimizer.zeroGrad({ setToNone: zeroGrad === "null" });
  loss.backward();
  if (freeze.method === "gradNull") for (const path of named) parameters.get(path)!.grad = null;
  const untouched = new Map(
    [...parameters].filter(([, p]) => p.grad === null).map(([path, p]) => [path, p.dataSync()]),
  );
  optimizer.step();
  return { loss: Number(loss.itemSync()), untouched };
}

type Place = Omit<Difference, "step">;

const compareLoss = (loss: number, expected: Expected): Place | null =>
  compare("loss", [loss], expected.loss);

function compareParameters(
  parameters: ReadonlyMap<string, Parameter>,
  untouched: ReadonlyMap<string, ArrayLike<number>>,
  expected: Expected,
): Place | null {
  for (const [path, p] of parameters) {
    const now = p.dataSync();
    const before = untouched.get(path);
    const moved = before === undefined ? -1 : now.findIndex((x, i) => !Object.is(x, before[i]));
    if (moved >= 0)
      return {
        what: `${path} (frozen)`,
        index: indexText(moved, p.shape),
        got: now[moved]!,
        expected: before![moved]!,
      };
    const found = compare(path, now, expected.parameters[path]!, p.shape);
    if (found !== null) return found;
  }
  return null;
}

/** What a state has under a name: PyTorch's SGD counts no steps. */
const isExtra = (key: string, expected: object | undefined): boolean =>
  key === "step" && (expected === undefined || !("step" in expected));

function compareState(
  parameters: ReadonlyMap<string, Parameter>,
  optimizer: ReplayOptimizer,
  { state }: Expected,
): Place | null {
  for (const [path, p] of parameters) {
    const mine = Object.entries(optimizer.state.get(p) ?? {}).map(
      ([key, value]) => [snakeCase(key), value] as const,
    );
    const theirs = state[path];
    const got = mine.filter(([key]) => !isExtra(key, theirs));
    const keys = got.map(([key]) => key).sort();
    const expectedKeys = Object.keys(theirs ?? {}).sort();
    if (keys.join() !== expectedKeys.join())
      return {
        what: `state of ${path}`,
        index: "",
        got: keys.join(" ") || "none",
        expected: expectedKeys.join(" ") || "none",
      };
    for (const [key, value] of got) {
      const [data, shape] = value instanceof Tensor ? [value.dataSync(), value.shape] : [[value], []];
      const found = compare(`${key} of ${path}`, data, theirs![key]!, shape);
      if (found !== null) return found;
    }
  }
  return null;
}

function compare(
  what: string,
  got: ArrayLike<number>,
  expected: Value,
  shape: readonly number[] = [],
): Place | null {
  const values = ([expected] as unknown[]).flat(Number.POSITIVE_INFINITY) as number[];
  if (got.length !== values.length) return { what, index: "count", got: got.length, expected: values.length };
  for (const [i, b] of values.entries()) {
    const a = got[i]!;
    // Written so that NaN differs from everything.
    if (!(Math.abs(a - b) <= 1e-4 + 1e-3 * Math.abs(b)))
      return { what, index: indexText(i, shape), got: a, expected: b };
  }
  return null;
}

/** A position in row-major order as one index a dimension: `[1, 2]`. */
const indexText = (position: number, shape: readonly number[]): string =>
  shape.length === 0 ? "" : `[${indexAt(position, shape).join(", ")}]`;

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
