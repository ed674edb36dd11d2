import { compareParameters, snapshot } from "../../freeze/index.ts";
import { type Lesson, type Part, restingIn, type TwoInputs } from "./network.ts";

/** What became of a parameter in the steps in which it was meant to rest. */
export interface Unrest {
  /** Bits that a step changed, over all those steps. */
  bits: number;
  /** How far its elements went on average, over all those steps. */
  distance: number;
}

/** Compares what is meant to rest in a step bit by bit before and after it. */
export class Watch {
  /** By path. */
  readonly unrest = new Map<string, Unrest>();
  readonly #net: TwoInputs;

  constructor(net: TwoInputs) {
    this.#net = net;
  }

  /** Runs a step of a lesson. */
  async around<T>(lesson: Lesson, step: () => Promise<T>): Promise<T> {
    const before = restingIn(lesson).map((part) => [part, snapshot(this.#net[part])] as const);
    const result = await step();
    for (const [part, bits] of before) this.#compare(part, bits);
    return result;
  }

  #compare(part: Part, before: ReturnType<typeof snapshot>): void {
    for (const [name, { bitsChanged, meanChange }] of compareParameters(before, this.#net[part])) {
      const path = `${part}.${name}`;
      const seen = this.unrest.get(path) ?? { bits: 0, distance: 0 };
      this.unrest.set(path, { bits: seen.bits + bitsChanged, distance: seen.distance + meanChange });
    }
  }
}
