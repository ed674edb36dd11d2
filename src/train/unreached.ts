import { printable } from "../base/printable.ts";
import type { Module } from "../nn/module.ts";
import type { Regions } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { TrainedSet } from "./trained-set.ts";

/** Warns, once a parameter, of what a step is to train and its loss does not reach. */
export function unreachedWarning(module: Module): (trained: TrainedSet, reached: Regions) => void {
  const told = new Set<Parameter>();
  return ({ regions, text }, reached) => {
    if (regions.size === reached.size) return;
    const missing = [...regions.keys()].filter(
      (p) => !reached.has(p) && !told.has(p) && p.requiresGrad && !p.frozen,
    );
    if (missing.length === 0) return;
    const paths = new Map(module.namedParameters().map(([path, p]) => [p, path]));
    for (const p of missing) told.add(p);
    console.warn(
      `thaw: trains (${text}) names ${missing.map((p) => printable(paths.get(p)!)).join(", ")}, which the loss does not depend on: ` +
        "no gradient reaches it, and it is not updated. Leave it out of trains, or use it in the forward pass. " +
        "(This is said once a parameter.)",
    );
  };
}
