import { copyOfBits } from "../../nn/bits.ts";
import type { Module } from "../../nn/module.ts";
import type { Parameter } from "../../tensor/parameter.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Keeps a copy of what is trained as it was after the best epoch. */
export class BestWeights {
  readonly #trained: ReadonlyMap<string, Parameter>;
  readonly #sign: 1 | -1;
  #value = Number.NEGATIVE_INFINITY;
  #weights: Readonly<Record<string, Tensor>> = {};
  /** The epoch whose weights are kept; 0 before the first. */
  epoch = 0;

  constructor(trained: ReadonlyMap<string, Parameter>, better: "more" | "less") {
    this.#trained = trained;
    this.#sign = better === "more" ? 1 : -1;
  }

  /** Keeps the weights that there are now, if they are better than all before; the first in any case. */
  note(epoch: number, measured: number): void {
    const value = this.#sign * measured;
    if (this.epoch > 0 && !(value > this.#value)) return;
    this.#value = Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
    this.epoch = epoch;
    this.#weights = Object.fromEntries([...this.#trained].map(([path, p]) => [path, copyOfBits(p, "fit")]));
  }

  /** Puts the weights that are kept into the module. */
  restore(module: Module): void {
    if (this.epoch > 0) module.loadStateDict(new Map(Object.entries(this.#weights)), { strict: false });
  }

  /** What a checkpoint has of it. */
  stateDict() {
    const value = this.#value === Number.NEGATIVE_INFINITY ? null : this.#value;
    return { epoch: this.epoch, value, weights: { ...this.#weights } };
  }

  loadStateDict({ epoch, value, weights }: ReturnType<BestWeights["stateDict"]>): void {
    this.epoch = epoch;
    this.#value = value ?? Number.NEGATIVE_INFINITY;
    this.#weights = weights;
  }
}
