import { type Module, namedFrom } from "../nn/module.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { holdersOf } from "./holders.ts";
import type { Origin } from "./parameter-names.ts";

/** The modules that parameters of an optimizer came from, and those parameters that these no longer hold. */
export interface Replaced {
  readonly modules: readonly Module[];
  readonly parameters: readonly Parameter[];
}

/** Looks for parameters that their modules no longer hold. */
export function findReplaced(
  parameters: readonly Parameter[],
  origins: ReadonlyMap<Parameter, Origin>,
): Replaced {
  const held = new Map<Module, ReadonlySet<Parameter>>();
  const replaced = parameters.filter((p) => {
    const modules = [origins.get(p)?.module, namedFrom(p)].filter((module) => module != null);
    for (const module of modules) if (!held.has(module)) held.set(module, new Set(module.parameters()));
    return modules.some((module) => !held.get(module)!.has(p));
  });
  return { modules: [...held.keys()], parameters: replaced };
}

/**
 * Warns of parameters that a loss uses and no optimizer has, where the optimizer has others that their module no longer
 * holds; says whether it did.
 */
export function warnOfReplaced(
  optimizer: string,
  { modules, parameters }: Replaced,
  mine: ReadonlySet<Parameter>,
): boolean {
  const left = new Map<string, Parameter>();
  for (const module of modules)
    for (const [path, p] of module.namedParameters())
      if (!mine.has(p) && holdersOf(p) === 0 && p.grad !== null && !p.frozen) left.set(path, p);
  if (left.size === 0) return false;
  console.warn(
    `thaw: ${[...left.keys()].join(", ")} ${left.size === 1 ? "has a gradient and is" : "have gradients and are"} in no group of this ${optimizer}, which still has ` +
      `${parameters.map((p) => p.label || "a parameter").join(", ")} of before something was replaced: what is there now is not trained. ` +
      "Make the optimizer after replacing, or add it with addParamGroup. (This is said once.)",
  );
  return true;
}
