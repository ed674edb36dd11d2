import { StateDictError } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import type { StateContext, Stateful } from "../base/stateful.ts";
import { commit } from "../engine/realize.ts";
import { bitsOf } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";
import type { Accumulator } from "../optim/accumulate.ts";
import { partShape } from "../optim/part.ts";
import { noteRound, type Round } from "../optim/rounds.ts";
import { copyOf, stateDtype } from "../optim/state-tensor.ts";
import { fromArray } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { CallPlans } from "./call-plan.ts";

/** The sum of gradients of one parameter, or of a region of it. */
export interface SumState {
  path: string;
  /** Of a region: its dimension (-1: single elements) and its indices. */
  dim?: number;
  indices?: Tensor;
  sum: Tensor;
}

/** Where a step stands between two updates. */
export interface RoundState {
  /** Calls that make one update, and those made so far. */
  calls: number;
  position: number;
  /** In the order in which they came to be, in which they are added up. */
  sums: SumState[];
}

/** What a step has accumulated, for checkpoints. */
export class StepRound implements Round, Stateful<RoundState> {
  readonly #module: Module;
  readonly #plans: CallPlans;
  readonly #accumulator: Accumulator;
  readonly #parameters: () => Iterable<Parameter>;
  timesSaved = 0;

  constructor(
    module: Module,
    plans: CallPlans,
    accumulator: Accumulator,
    parameters: () => Iterable<Parameter>,
  ) {
    this.#module = module;
    this.#plans = plans;
    this.#accumulator = accumulator;
    this.#parameters = parameters;
    if (plans.calls > 1) noteRound(this);
  }

  get position(): number {
    return this.#plans.position;
  }
  get calls(): number {
    return this.#plans.calls;
  }
  parameters(): Iterable<Parameter> {
    return this.#parameters();
  }
  discard(): void {
    this.#plans.goTo(0, new Map());
  }

  stateDict(): RoundState {
    this.timesSaved++;
    const { calls, position, earlier } = this.#plans;
    const paths = new Map(this.#module.namedParameters().map(([path, p]) => [p, path]));
    const sums = [...earlier].map(([p, region]) => ({
      path: paths.get(p)!,
      ...(region && { dim: region.dim ?? -1, indices: fromArray(region.indices, [region.indices.length]) }),
      sum: copyOf(this.#accumulator.sumOf(p, region)),
    }));
    return { calls, position, sums };
  }

  loadStateDict(state: RoundState): void {
    this.prepareLoad(state)();
  }

  prepareLoad({ calls, position, sums }: RoundState, context: StateContext = {}): () => void {
    const refuse = (problem: string): StateDictError =>
      new StateDictError(`loadStateDict: ${problem}; nothing was loaded.`);
    if (!Number.isSafeInteger(position) || position < 0 || !(position < calls || position === 0))
      throw refuse(`${position} of ${calls} calls of an update cannot have been made`);
    if (position > 0 && calls !== this.calls)
      throw refuse(
        `the state is of a step between two calls of one update, which takes ${calls} (accumulate), and ${this.calls} here`,
      );
    commit();
    const named = new Map(this.#module.namedParameters({ removeDuplicate: false }));
    const earlier = new Map<Parameter, Region | null>();
    const pathOf = (context.module === this.#module && context.path) || ((name: string) => name);
    const ready = sums.map(({ path: name, dim, indices, sum }) => {
      const path = pathOf(name);
      const p = named.get(path);
      if (p === undefined) throw refuse(`there is a sum of gradients of ${path}, which the module has not`);
      const region = indices === undefined ? null : regionOf(p, dim!, indices);
      if (earlier.has(p)) throw refuse(`there are two sums of gradients of ${path}`);
      earlier.set(p, region);
      if (
        !(sum instanceof Tensor) ||
        !sameShape(sum.shape, partShape(p, region)) ||
        sum.dtype !== stateDtype(p)
      )
        throw refuse(`the sum of gradients of ${path} has another shape or dtype`);
      return { p, region, bits: bitsOf(sum, "loadStateDict()") };
    });
    return () => {
      for (const { p, region, bits } of ready)
        this.#accumulator.sumOf(p, region).resident.storage.overwrite(bits);
      this.#plans.goTo(position, earlier);
    };
  }
}

function regionOf(p: Parameter, dim: number, indices: Tensor): Region {
  const at = indices.dataSync() as Int32Array;
  return dim === -1 ? Region.elements(p.shape, at) : Region.along(p.shape, dim, at);
}
