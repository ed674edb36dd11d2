import { reachedOwners } from "../autodiff/index.ts";
import { printable } from "../base/printable.ts";
import { shapeText } from "../base/shape.ts";
import type { Module } from "../nn/module.ts";
import { holdersOf } from "../optim/holders.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { StepOptimizer } from "./step-optimizer.ts";

/** A parameter's path, or what else tells it from others where no module has named it. */
export const nameOfParameter = (p: Parameter): string =>
  p.label || `a parameter of shape ${shapeText(p.shape)}`;

/** The parameters that a gradient of losses would reach. */
export const reachedBy = (losses: readonly Tensor[]): Parameter[] => [
  ...new Set(losses.flatMap(({ node }) => [...reachedOwners(node)].filter((o) => o instanceof Parameter))),
];

/**
 * What losses reach of parameters that no path of a step names: neither its module nor the optimizer's holds them.
 * What rests on purpose is not reached: it is frozen, does not require a gradient, or was used in noGrad().
 */
export function outsideOf(
  losses: readonly Tensor[],
  module: Module,
  optimizer: StepOptimizer,
): readonly Parameter[] {
  const reached = reachedBy(losses);
  if (reached.length === 0) return none;
  const held = new Set(
    [module, ...(optimizer.module === null ? [] : [optimizer.module])].flatMap((m) => m.parameters()),
  );
  const outside = reached.filter((p) => !held.has(p));
  return outside.length === 0 ? none : outside;
}

const none: readonly Parameter[] = [];

/** Whether an optimizer besides a step's own was given a parameter: then it trains elsewhere, as in a GAN. */
export const trainsElsewhere = (p: Parameter, optimizer: StepOptimizer): boolean =>
  holdersOf(p) > (optimizer.parameters().includes(p) ? 1 : 0);

/** Warns, once a parameter, of what a step's loss reaches and no path of it names. */
export function outsideWarning(
  module: Module,
  optimizer: StepOptimizer,
): (outside: readonly Parameter[]) => void {
  const told = new Set<Parameter>();
  return (outside) => {
    if (outside.length === 0) return;
    const missing = outside.filter((p) => !told.has(p) && !trainsElsewhere(p, optimizer));
    if (missing.length === 0) return;
    for (const p of missing) told.add(p);
    const many = missing.length > 1;
    const [it, they, are] = many ? ["them", "they", "are"] : ["it", "it", "is"];
    const inOptimizer = missing.every((p) => optimizer.parameters().includes(p));
    console.warn(
      `thaw: the loss depends on ${missing.map(nameOfParameter).map(printable).join(", ")}, which ${module.constructor.name} does not hold, ` +
        `so that no path of this step names ${it}: ${they} ${are} not trained${inOptimizer ? `, although ${optimizer.name} has ${it}` : ""}. ` +
        "Hold it in a field of the module, an array, nn.ModuleList or nn.ModuleDict (private fields, maps and other " +
        "objects are not walked), or pass a module that holds both: { module }. " +
        `If ${they} ${are} meant to rest, freeze ${it}, or use noGrad() or detach(). (This is said once a parameter.)`,
    );
  };
}
