import type { Regions } from "../optim/accumulate.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";

/** What of a parameter is frozen in a call that updates so much (null: all of it). */
export function frozenOf(p: Parameter, updated: Regions): Region | null | "none" {
  const region = updated.has(p) ? p.trainable(updated.get(p)!) : "none";
  return region === "none" ? null : region === null ? "none" : region.complement();
}
