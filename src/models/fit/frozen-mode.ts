import type { Module } from "../../nn/module.ts";
import type { Parameter } from "../../tensor/parameter.ts";

/**
 * The mode of modules of which nothing is trained. "train": dropout drops in them too, as `Trainer` of transformers has it.
 * "eval": it does not.
 */
export type FrozenMode = "train" | "eval";

/**
 * Puts a module into training mode, but, where that is asked for, what is frozen of it: each module that has parameters, none
 * of which is trained, with all below it. What freezing holds in a mode stays in it.
 */
export function setModes(
  root: Module,
  trained: ReadonlyMap<string, Parameter>,
  frozenMode: FrozenMode,
): void {
  const moving = new Set(trained.values());
  const isFrozen = (module: Module): boolean => {
    const parameters = module.parameters();
    return parameters.length > 0 && !parameters.some((p) => moving.has(p));
  };
  const still = new Set(
    frozenMode === "train"
      ? []
      : root
          .modules()
          .filter(isFrozen)
          .flatMap((module) => module.modules()),
  );
  for (const part of root.modules()) if (part.heldMode === null) part.training = !still.has(part);
}
