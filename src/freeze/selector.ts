import { Module } from "../nn/module.ts";
import { Parameter } from "../tensor/parameter.ts";

/** A function that says of each parameter, by path, whether it is meant. */
export type SelectorPredicate = (path: string, parameter: Parameter) => boolean;

/**
 * Names parameters of a module. A string is a path or a glob (`output.**`, `*.weight`, `blocks.{0,1}.*`; `*` is one
 * segment, `**` any number of them), with `!` in front an exclusion; a module stands for all parameters in it. An
 * array means all that its entries name, less its exclusions, wherever those stand; of exclusions alone, everything
 * but those.
 */
export type Selector = string | RegExp | Module | Parameter | SelectorPredicate | readonly Selector[];

/** A selector as errors and reports show it. */
export function selectorText(selector: Selector): string {
  if (typeof selector === "string") return `"${selector}"`;
  if (Array.isArray(selector)) return `[${selector.map(selectorText).join(", ")}]`;
  if (selector instanceof Module) return `the module ${selector.constructor.name}`;
  if (selector instanceof Parameter)
    return `the parameter ${selector.label || `of shape [${selector.shape.join(", ")}]`}`;
  if (typeof selector === "function") return `the function ${selector.name || "given"}`;
  return String(selector);
}
