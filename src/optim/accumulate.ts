import { Resident } from "../engine/trace.ts";
import { add, mul } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { GradientTransform } from "./gradient-transform.ts";
import { stateDtype } from "./state.ts";
import type { Node } from "./transform.ts";

/** What a call adds to sums of gradients that several calls make. */
export interface AccumulatePhase {
  /** Parameters that earlier calls have added to. */
  readonly earlier: ReadonlySet<Parameter>;
  /** Whether the sums go on to the update, instead of being kept for the next call. */
  readonly last: boolean;
}

/** Sums gradients over several calls, each of weight 1 / `calls`, as one larger batch would give. */
export class Accumulator {
  readonly #calls: number;
  readonly #sums = new Map<Parameter, Resident>();

  constructor(calls: number) {
    this.#calls = calls;
  }

  /** The transform of one call: it keeps the sums, or on the last call passes them on. */
  transform({ earlier, last }: AccumulatePhase): GradientTransform {
    return {
      name: "accumulate",
      apply: (gradients) => {
        const sums = new Map<Parameter, Node>();
        for (const p of earlier) if (!p.frozen) sums.set(p, this.#sumOf(p).node);
        for (const [p, gradient] of gradients) {
          const share = mul(gradient, 1 / this.#calls);
          const before = sums.get(p);
          sums.set(p, before === undefined ? share : add(before, share));
        }
        if (last) return sums;
        for (const p of gradients.keys()) this.#sumOf(p).assign(sums.get(p)!);
        return new Map();
      },
    };
  }

  #sumOf(p: Parameter): Resident {
    let sum = this.#sums.get(p);
    if (sum === undefined) {
      sum = new Resident(stateDtype(p), p.shape);
      sum.storage.label = `${p.label || "a parameter"} (accumulated gradient)`;
      this.#sums.set(p, sum);
    }
    return sum;
  }
}
