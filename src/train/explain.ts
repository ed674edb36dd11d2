import { dtypes } from "../base/dtype.ts";
import { grouped, percent, table } from "../base/table.ts";
import { frozenBy } from "../freeze/freeze.ts";
import { selectParts } from "../freeze/select.ts";
import type { Selector } from "../freeze/selector.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import { stateDtype } from "../optim/state-tensor.ts";
import type { Plan, PlanExplanation } from "../plan/plan.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { nameOfParameter, trainsElsewhere } from "./outside.ts";
import type { StepOptimizer } from "./step-optimizer.ts";

/** What a call does with one parameter, and why. */
export interface ExplainedParameter {
  /** Where no module has named it, what it is: "a parameter of shape [3]". */
  readonly path: string;
  /** Its other paths, where it is tied. */
  readonly ties: readonly string[];
  /**
   * `unreachable`: it was to be trained, and the loss does not depend on it; `outside`: the loss depends on it, but the
   * module does not hold it, so that nothing can name it.
   */
  readonly status: "trained" | "partly trained" | "frozen" | "unreachable" | "outside";
  /** What is trained where that is not all of it: `[32000:]`. */
  readonly region: string | null;
  readonly why: string;
  readonly elements: number;
  readonly trainedElements: number;
  /** Bytes that a rank of a group gives to the others for its gradient; 0 without a group. */
  readonly sentBytes: number;
}

/** What a call costs. */
export type StepCost = Pick<PlanExplanation, "flops" | "recomputedFlops" | "bytes" | "arenaBytes"> & {
  readonly kernels: number;
};

const costNames = [
  ["flops", "floating-point operations"],
  ["recomputedFlops", "of these, done once more"],
  ["bytes", "bytes read and written"],
  ["arenaBytes", "bytes of scratch"],
  ["kernels", "kernels"],
] as const;

/** What is known of a call. */
interface Call {
  readonly module: Module;
  readonly optimizer: StepOptimizer;
  /** Whether gradients are summed over the ranks of a group. */
  readonly isShared: boolean;
  readonly selector: Selector;
  readonly task: string;
  /** What the loss has a gradient for, of what is to be trained. */
  readonly reached: Regions;
  /** What the loss has a gradient for and the module does not hold. */
  readonly outside: readonly Parameter[];
  /** Make the plan of the call, and of one that trains everything. */
  readonly cost: () => Plan;
  readonly costOfAll: () => Plan;
}

/** What a call trains, what not, and why; as text, a table. */
export class Explanation {
  readonly parameters: readonly ExplainedParameter[];
  readonly #cost: () => StepCost;
  readonly #costOfAll: () => StepCost;

  /** What gives the costs is called when they are first asked for: who is to know only what is trained waits for no plan. */
  constructor(parameters: readonly ExplainedParameter[], cost: () => StepCost, costOfAll: () => StepCost) {
    this.parameters = parameters;
    this.#cost = once(cost);
    this.#costOfAll = once(costOfAll);
  }

  get cost(): StepCost {
    return this.#cost();
  }
  /** What it would cost if everything were trained. */
  get costOfAll(): StepCost {
    return this.#costOfAll();
  }

  toString(): string {
    const rows = this.parameters.map(({ path, ties, status, region, elements, trainedElements, why }) => [
      path + (region ?? ""),
      status,
      trainedElements === elements || trainedElements === 0
        ? grouped(elements)
        : `${grouped(trainedElements)} of ${grouped(elements)}`,
      why + (ties.length === 0 ? "" : `; tied: ${ties.join(", ")}`),
    ]);
    const sent = this.parameters.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    const share = (part: number, whole: number): string => (whole === 0 ? "–" : percent(part / whole));
    const named = costNames.filter(([key]) => key !== "recomputedFlops" || this.costOfAll[key] > 0);
    const costs = named.map(([key, name]) => [
      name,
      grouped(this.cost[key]),
      grouped(this.costOfAll[key]),
      share(this.cost[key], this.costOfAll[key]),
    ]);
    return [
      ...table(["parameter", "is", "elements", "why"], rows),
      "",
      ...table(["cost of a call", "as it is", "if all were trained", "share"], costs),
      ...(sent > 0 ? ["", `${grouped(sent)} bytes of gradients to the other ranks of the group`] : []),
    ].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** Explains a call. */
export function explainCall(call: Call): Explanation {
  const { module, cost, costOfAll } = call;
  const paths = new Map<Parameter, string[]>();
  for (const [path, p] of module.namedParameters({ removeDuplicate: false }))
    paths.set(p, [...(paths.get(p) ?? []), path]);
  const named = new Map(
    [...selectParts(module, call.selector).values()].map((part) => [part.parameter, part]),
  );
  const known = new Set(call.optimizer.parameters());
  const parameters = [...paths].map(([p, [path, ...ties]]): ExplainedParameter => {
    const part = named.get(p);
    const told = part === undefined ? notNamed(known.has(p), call.task) : explained(p, part, call);
    const trainedElements = told.status === "trained" ? p.numel : (told.trained?.numel ?? 0);
    const { status, why } = told;
    return {
      path: path!,
      ties,
      status,
      region: told.trained?.text ?? null,
      why,
      elements: p.numel,
      trainedElements,
      sentBytes: call.isShared ? trainedElements * dtypes[stateDtype(p)].bytes : 0,
    };
  });
  const outside = call.outside.map((p) => explainedOutside(p, call));
  return new Explanation(
    [...parameters, ...outside],
    () => costOf(cost().explain()),
    () => costOf(costOfAll().explain()),
  );
}

type Told = Pick<ExplainedParameter, "status" | "why"> & { readonly trained: Region | null };

function explainedOutside(p: Parameter, { module, optimizer }: Call): ExplainedParameter {
  const elsewhere = trainsElsewhere(p, optimizer) ? "; another optimizer has it" : "";
  return {
    path: nameOfParameter(p),
    ties: [],
    status: "outside",
    region: null,
    why: `the loss depends on it, but ${module.constructor.name} does not hold it${elsewhere}`,
    elements: p.numel,
    trainedElements: 0,
    sentBytes: 0,
  };
}

function notNamed(known: boolean, task: string): Told {
  const why = known ? `trains${forTask(task)} does not name it` : "the optimizer does not have it";
  return { status: "frozen", why, trained: null };
}

function explained(
  p: Parameter,
  { region, by }: { readonly region: Region | null; readonly by: string },
  { reached, task }: Call,
): Told {
  const trained = p.trainable(region);
  const scope = frozenBy(p);
  if (trained === "none") return { status: "frozen", why: scope ?? "its frozen flag is set", trained: null };
  if (!p.requiresGrad) return { status: "frozen", why: "its requiresGrad is false", trained: null };
  if (!reached.has(p))
    return {
      status: "unreachable",
      why: `trains${forTask(task)} names it by ${by}, but the loss does not depend on it`,
      trained: null,
    };
  const rest = trained !== region && scope !== null ? `; the rest: ${scope}` : "";
  return {
    status: trained === null ? "trained" : "partly trained",
    why: `trains${forTask(task)} names it by ${by}${rest}`,
    trained,
  };
}

const forTask = (task: string): string => (task === "" ? "" : ` (${task})`);

/** A function that makes its value at its first call, and lets go of what it makes it of. */
function once<T>(make: () => T): () => T {
  let from: (() => T) | null = make;
  let value: T;
  return () => {
    if (from !== null) value = from();
    from = null;
    return value;
  };
}

const costOf = ({ flops, recomputedFlops, bytes, arenaBytes, kernels }: PlanExplanation): StepCost => ({
  flops,
  recomputedFlops,
  bytes,
  arenaBytes,
  kernels: kernels.length,
});
