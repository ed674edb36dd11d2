import type { Parameter } from "./parameter.ts";
import type { Region } from "./region.ts";

/** What the loss that is being computed is to train; null outside of a step that says so. */
let trained: ReadonlyMap<Parameter, Region | null> | null = null;

/** Runs `fn`, a loss, with what it is to train (null: all of a parameter), which a layer that writes to its own needs. */
export function whileTraining<T>(regions: ReadonlyMap<Parameter, Region | null>, fn: () => T): T {
  const before = trained;
  trained = regions;
  try {
    return fn();
  } finally {
    trained = before;
  }
}

/**
 * What of a parameter a layer may write to in its forward pass (null: all of it): not what is frozen, nor what the step
 * that runs does not train.
 */
export function writable(p: Parameter): Region | null | "none" {
  if (trained === null) return p.trainable(null);
  return trained.has(p) ? p.trainable(trained.get(p)!) : "none";
}
