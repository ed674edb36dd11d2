import { compareParameters, snapshot } from "../../freeze/index.ts";
import type { Module } from "../../nn/index.ts";

/** What became of a parameter in the steps in which it was meant to rest. */
export interface Unrest {
  /** Bits that a step changed, over all those steps. */
  bits: number;
  /** How far its elements went on average, over all those steps. */
  distance: number;
}

/** Compares part of a network bit by bit before and after each step in which it is meant to rest. */
export class Watch {
  /** By path. */
  readonly unrest = new Map<string, Unrest>();

  /** Runs a step in which the part at `path` is meant to rest. */
  async around<T>(path: string, part: Module, step: () => Promise<T>): Promise<T> {
    const before = snapshot(part);
    const result = await step();
    for (const [name, change] of compareParameters(before, part)) {
      const seen = this.unrest.get(`${path}.${name}`) ?? { bits: 0, distance: 0 };
      seen.bits += change.bitsChanged;
      seen.distance += change.meanChange;
      this.unrest.set(`${path}.${name}`, seen);
    }
    return result;
  }
}
