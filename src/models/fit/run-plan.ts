import { dtypes } from "../../base/dtype.ts";
import { observeRuns } from "../../engine/run-plan.ts";
import type { Module } from "../../nn/module.ts";
import { noGrad } from "../../tensor/autograd.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { ExplainedParameter, Explanation } from "../../train/explain.ts";
import { inMode } from "./in-mode.ts";
import type { Rate } from "./rates.ts";
import type { RunParts } from "./run-parts.ts";

/** What a training will do, and about what that takes. */
export interface RunPlan {
  /** How many updates there will be. */
  readonly steps: number;
  readonly rates: readonly Rate[];
  /** Of the first phase: what of each parameter is trained. */
  readonly parameters: readonly ExplainedParameter[];
  /** What is trained when; one, without a label, where it is always the same. */
  readonly phases: readonly { readonly label: string; readonly paths: readonly string[] }[];
  /** Tokens of each example, as the model sees it. */
  readonly lengths: readonly number[];
  /** Bytes of all weights, and of those that are trained. */
  readonly weightBytes: number;
  readonly trainedBytes: number;
  /** Bytes that it takes where its longest examples are one batch: weights, what is kept of them, and scratch. */
  readonly memory: number;
  /** Seconds of an update of such batches: by what a forward pass took, and how many operations both have. */
  readonly secondsAnUpdate: number;
}

/** Plans a step of the first phase with the longest examples, without making it, and times a forward pass of them. */
export async function planOf(
  { model, objective, settings, phases, length, best }: RunParts,
  explain: (...inputs: readonly Tensor[]) => Explanation,
): Promise<RunPlan> {
  const lengths = Array.from({ length: objective.length }, (_, i) => objective.lengthOf(i));
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!);
  const { inputs } = await objective.batch(order.slice(0, settings.batch), 0);
  const explanation = await inMode(model, true, async () => {
    const made = explain(...inputs);
    // The plan is made when its cost is asked for, and modes are part of it.
    return { parameters: made.parameters, cost: made.cost };
  });
  const speed = await inMode(model, false, () => flopsPerSecond(() => objective.loss(...inputs)));
  const weightBytes = bytesOf((model as Module).namedParameters().map(([, p]) => p));
  // What is frozen, as all but an adapter, is not trained whatever names it.
  const free = new Map([...phases.trained].filter(([, { frozen }]) => !frozen));
  const trainedBytes = bytesOf(free.values());
  // Two moments; gradients where they are added up or measured; averages, and the best weights.
  const copies =
    2 + (settings.accumulate > 1 ? 1 : 0) + (settings.ema === null ? 0 : 1) + (best === null ? 0 : 1);
  return {
    steps: length.steps,
    rates: phases.rates.map((rate) => ({ ...rate, paths: rate.paths.filter((path) => free.has(path)) })),
    parameters: explanation.parameters,
    phases: phases.planned.map(({ label, trained }) => ({
      label,
      paths: [...trained.keys()].filter((path) => free.has(path)),
    })),
    lengths,
    weightBytes,
    trainedBytes,
    memory: weightBytes + copies * trainedBytes + explanation.cost.arenaBytes,
    secondsAnUpdate: (settings.accumulate * explanation.cost.flops) / speed,
  };
}

function bytesOf(parameters: Iterable<Parameter>): number {
  let bytes = 0;
  for (const { numel, dtype } of parameters) bytes += numel * dtypes[dtype].bytes;
  return bytes;
}

/** How fast a computation goes that has been made once before. */
async function flopsPerSecond(compute: () => Tensor): Promise<number> {
  await noGrad(compute).item();
  let flops = 0;
  const unobserve = observeRuns({
    run: ({ plan }) => {
      flops += plan.explain().flops;
    },
    prepared: () => {},
  });
  try {
    const start = performance.now();
    await noGrad(compute).item();
    return flops / ((performance.now() - start) / 1e3);
  } finally {
    unobserve();
  }
}
