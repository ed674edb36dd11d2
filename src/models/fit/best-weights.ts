import { copyOfBits } from "../../nn/bits.ts";
import type { Module } from "../../nn/module.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { ClassMetrics } from "../metrics/class-metrics.ts";
import type { Criterion } from "./fit-options.ts";

/** Keeps a copy of what is trained as it was after the best epoch. */
export class BestWeights {
  readonly #criterion: Criterion;
  readonly #trained: ReadonlyMap<string, Parameter>;
  #value = Number.NEGATIVE_INFINITY;
  #weights: ReadonlyMap<string, Tensor> | null = null;
  /** The epoch whose weights are kept; 0 before the first. */
  epoch = 0;

  constructor(criterion: Criterion, trained: ReadonlyMap<string, Parameter>) {
    this.#criterion = criterion;
    this.#trained = trained;
  }

  /** Keeps the weights that there are now, if they are better than all before. */
  note(epoch: number, metrics: ClassMetrics): void {
    const value = metrics[this.#criterion] * (this.#criterion === "loss" ? -1 : 1);
    if (value <= this.#value) return;
    this.#value = value;
    this.epoch = epoch;
    this.#weights = new Map([...this.#trained].map(([path, p]) => [path, copyOfBits(p, "fit")]));
  }

  /** Puts the weights that are kept into the module. */
  restore(module: Module): void {
    if (this.#weights !== null) module.loadStateDict(this.#weights, { strict: false });
  }
}
