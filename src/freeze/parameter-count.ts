import { ArgumentError } from "../base/errors.ts";
import { Module } from "../nn/module.ts";
import type { Checked } from "./checked.ts";
import { selectParts } from "./select.ts";
import type { Selector } from "./selector.ts";

/** Elements of a module's parameters, tied ones counted once. */
export interface ParameterCount {
  readonly total: number;
  /** Those that a step trains. */
  readonly trained: number;
  /** All others. */
  readonly frozen: number;
}

/**
 * Counts the elements of a module's parameters, as `sum(p.numel() for p in net.parameters())` does: how many there are,
 * and how many of them a step would train that names all of them (what is frozen, in part too, or has `requiresGrad`
 * false is not), or that names those of a selector, as `trains` does. Example: `parameterCount(net, "head.**").trained`.
 */
export function parameterCount<M extends Module, const S extends Selector>(
  root: M,
  trains?: Checked<M, S>,
): ParameterCount;
export function parameterCount(root: Module, trains?: Selector): ParameterCount {
  if (!(root instanceof Module))
    throw new ArgumentError(
      `parameterCount: ${root === null ? "null" : typeof root} is no module; give the module whose parameters are counted`,
    );
  const named = trains === undefined ? null : selectParts(root, trains);
  let [total, trained] = [0, 0];
  for (const [path, parameter] of root.namedParameters()) {
    total += parameter.numel;
    const part = named === null ? { region: null } : named.get(path);
    if (part === undefined || !parameter.requiresGrad) continue;
    const open = parameter.trainable(part.region);
    if (open !== "none") trained += open === null ? parameter.numel : open.numel;
  }
  return { total, trained, frozen: total - trained };
}
