import { currentBackend } from "../backends/registry.ts";
import { ArgumentError } from "../base/errors.ts";
import type { KeptState } from "../distributed/kept-states.ts";
import type { StepGroup } from "../distributed/step-group.ts";
import type { Module } from "../nn/module.ts";
import { EMA, type EMAStateDict } from "../optim/ema.ts";
import type { LossResult } from "./differentiate.ts";
import type { StepOptimizer } from "./step-optimizer.ts";
import type { TrainStepOptions } from "./step-types.ts";

/** What a step has of its group; null without one. Throws `ArgumentError` for options that cannot be. */
export function groupOf<A extends unknown[], L extends LossResult>(
  options: TrainStepOptions<A, L>,
  { module, optimizer }: { readonly module: Module; readonly optimizer: StepOptimizer },
): StepGroup | null {
  const { group, average = "ranks", start = "same", accumulate = 1, clipNorm, clipValue } = options;
  if (average !== "ranks" && average !== "used")
    throw new ArgumentError(`trainStep: average is ${String(average)}; it must be "ranks" or "used"`);
  if (start !== "same" && start !== "broadcast")
    throw new ArgumentError(`trainStep: start is ${String(start)}; it must be "same" or "broadcast"`);
  const { samples, frozenAlone = "error", bucketCapMb = 25 } = options;
  if (!(bucketCapMb > 0))
    throw new ArgumentError(`trainStep: bucketCapMb is ${bucketCapMb}; it must be MiB above 0`);
  if (frozenAlone !== "error" && frozenAlone !== "withhold")
    throw new ArgumentError(
      `trainStep: frozenAlone is ${String(frozenAlone)}; it must be "error" or "withhold"`,
    );
  if (samples !== undefined && typeof samples !== "function")
    throw new ArgumentError(
      `trainStep: samples is ${typeof samples}; it must be a function of the arguments`,
    );
  const more = average === "used" ? 'average: "used"' : accumulate > 1 ? "accumulate" : null;
  if (samples !== undefined && more !== null)
    throw new ArgumentError(`trainStep: samples and ${more} do not go together; leave one of them out`);
  if (group === undefined) return null;
  if (typeof group?.forStep !== "function")
    throw new ArgumentError("trainStep: group is no group of ranks; give what distributed.group() gives");
  const finite = options.finite ?? false;
  const hooked = options.gradients !== undefined;
  const facts = {
    // What two backends compute differs in last bits, and so would parameters.
    "the backend": currentBackend().name,
    "the optimizer": optimizer.name,
    accumulate: `${accumulate}`,
    clipNorm: `${clipNorm ?? "not given"}`,
    clipValue: `${clipValue ?? "not given"}`,
    finite: `${finite}`,
    average,
    start,
    frozenAlone,
    bucketCapMb: `${bucketCapMb}`,
    verify: `${options.verify ?? false}`,
    "the average": averageText(options.ema),
    "whether samples are counted": `${samples !== undefined}`,
    "whether there is a hook on gradients": `${hooked}`,
  };
  return group.forStep({
    module,
    facts,
    states: [stateOfOptimizer(optimizer, module), ...stateOfAverage(options.ema)],
    parameters: () => optimizer.parameters(),
    optionGroups: () => optimizer.paramGroups,
    policyOf: (p) => optimizer.statePolicyOf(p),
    decay: () => (options.ema as { readonly decay?: number } | undefined)?.decay ?? null,
    average: samples === undefined ? average : "samples",
    start,
    frozenAlone,
    bucketCapMb,
    checksLater: finite || hooked,
  });
}

/** An average as ranks tell each other of it; its decay, which may change, is compared with the optimizer's options. */
function averageText(ema: object | undefined): string {
  if (ema === undefined) return "not given";
  const { frozen, buffers, warmup } = ema as Partial<EMA>;
  return `one of what is frozen: ${frozen ?? "unknown"}, of buffers: ${buffers ?? "unknown"}${warmup === true ? ", with a warmup" : ""}`;
}

/** An optimizer's state, which ranks begin with alike. Its options are compared before each update. */
const stateOfOptimizer = (optimizer: StepOptimizer, module: Module): KeptState => ({
  what: "The optimizer's state",
  read: () => {
    const { state, updates } = optimizer.stateDict({ module, live: true });
    return { state, updates };
  },
  put: (given) =>
    optimizer.loadStateDict({ ...optimizer.stateDict({ module }), ...(given as object) }, { module }),
});

/** The averages of parameters that ranks begin with alike, of a step that has an `EMA`; those of buffers are each rank's own. */
const stateOfAverage = (ema: object | undefined): KeptState[] => {
  if (!(ema instanceof EMA)) return [];
  const read = (): EMAStateDict => {
    const { averages, updates } = ema.stateDict({ live: true });
    const paths = ema.module.namedParameters().map(([path]) => path);
    const of = <T>(all: Record<string, T>): Record<string, T> =>
      Object.fromEntries(paths.flatMap((path) => (path in all ? [[path, all[path]!]] : [])));
    return { averages: of(averages), updates: of(updates) };
  };
  const put = (given: unknown): void => {
    const [own, taken] = [ema.stateDict(), given as EMAStateDict];
    ema.loadStateDict({
      averages: { ...own.averages, ...taken.averages },
      updates: { ...own.updates, ...taken.updates },
    });
  };
  return [{ what: "The average", read, put }];
};

/** How many samples calls are of together, by a step's option; 1 where it has none. Throws `ArgumentError` for what is no count. */
export function samplesOf<A extends unknown[]>(
  samples: ((...args: A) => number) | undefined,
  all: readonly (readonly [...A])[],
): number {
  if (samples === undefined) return 1;
  return all.reduce((sum, args) => {
    const count: unknown = samples(...(args as unknown as A));
    if (typeof count === "number" && count > 0 && count < Number.POSITIVE_INFINITY) return sum + count;
    throw new ArgumentError(`trainStep: samples gave ${String(count)}; it must give a number above 0`);
  }, 0);
}
