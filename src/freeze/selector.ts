import { DTypeError, SelectorError, ShapeError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ModuleSelector } from "./module-selector.ts";

/** A function that says of each parameter, by path, whether it is meant. */
export type SelectorPredicate = (path: string, parameter: Parameter) => boolean;

/** Some of the parameters that another selector names: made by `rows` or `elements`. */
export class RegionSelector<P extends string = string> {
  readonly selector: P | Exclude<Selector, string>;
  /** As errors and reports show it. */
  readonly text: string;
  /** The region of a parameter; null: all of it. */
  readonly regionOf: (parameter: Parameter) => Region | null;

  constructor(
    selector: P | Exclude<Selector, string>,
    text: string,
    regionOf: (parameter: Parameter) => Region | null,
  ) {
    this.selector = selector;
    this.text = text;
    this.regionOf = regionOf;
  }
}

/** The slices at `indices` along a dimension (rows along 0, the default) of what a selector names. */
export function rows<const P extends string>(
  selector: P | Exclude<Selector, string>,
  indices: Iterable<number>,
  { dim = 0 }: { dim?: number } = {},
): RegionSelector<P> {
  const given = [...indices];
  if (given.length === 0) throw new SelectorError("rows: no indices; name at least one");
  const shown = given.length > 8 ? `${given.slice(0, 8).join(", ")}, … (${given.length})` : given.join(", ");
  return new RegionSelector(selector, `rows(${selectorText(selector)}, [${shown}])`, (p) => {
    const region = Region.along(p.shape, dim < 0 ? dim + p.ndim : dim, given);
    return region.isWhole ? null : region;
  });
}

/** The elements of what a selector names at which a mask of its shape (a bool tensor, or booleans) is true. */
export function elements<const P extends string>(
  selector: P | Exclude<Selector, string>,
  mask: Tensor | BooleanMask,
): RegionSelector<P> {
  const tensor = mask instanceof Tensor ? mask : null;
  if (tensor !== null && tensor.dtype !== "bool")
    throw new DTypeError(
      `elements: the mask is ${tensor.dtype}; it must be bool, as a comparison such as weight.ne(0) gives`,
    );
  const flags = tensor === null ? flattened(mask as BooleanMask) : tensor.dataSync();
  const places: number[] = [];
  for (let i = 0; i < flags.length; i++) if (flags[i]) places.push(i);
  if (places.length === 0)
    throw new SelectorError("elements: the mask is false everywhere; it names nothing");
  const text = `elements(${selectorText(selector)}, ${places.length} of ${flags.length})`;
  return new RegionSelector(selector, text, (p) => {
    if (tensor !== null ? !sameShape(tensor.shape, p.shape) : flags.length !== p.numel)
      throw new ShapeError(
        `${text}: the mask has ${tensor === null ? `${flags.length} elements` : `shape ${shapeText(tensor.shape)}`}, ` +
          `${p.label || "the parameter"} has shape ${shapeText(p.shape)}`,
      );
    return places.length === flags.length ? null : Region.elements(p.shape, places);
  });
}

/** Booleans, nested or not, in row-major order. */
export type BooleanMask = readonly (boolean | BooleanMask)[];

const flattened = (mask: BooleanMask): boolean[] =>
  mask.flatMap((item) => (typeof item === "boolean" ? [item] : flattened(item)));

/**
 * Names parameters of a module. A string is a path or a glob (`output.**`, `*.weight`, `blocks.{0,1}.*`; `*` is one
 * segment, `**` any number of them), with `!` in front an exclusion, with an index behind it (`embedding.weight[32000:]`,
 * as NumPy's) some of each; a module stands for all parameters in it. An
 * array means all that its entries name, less its exclusions, wherever those stand; of exclusions alone, everything
 * but those.
 */
export type Selector =
  | string
  | RegExp
  | Module
  | Parameter
  | SelectorPredicate
  | RegionSelector
  | ModuleSelector
  | readonly Selector[];

/** A selector as errors and reports show it. */
export function selectorText(selector: Selector): string {
  if (typeof selector === "string") return `"${selector}"`;
  if (Array.isArray(selector)) return `[${selector.map(selectorText).join(", ")}]`;
  if (selector instanceof Module) return `the module ${selector.constructor.name}`;
  if (selector instanceof Parameter)
    return `the parameter ${selector.label || `of shape [${selector.shape.join(", ")}]`}`;
  if (selector instanceof RegionSelector || selector instanceof ModuleSelector) return selector.text;
  if (typeof selector === "function") return `the function ${selector.name || "given"}`;
  return String(selector);
}

/** A selector as a key: equal keys name the same in one module. Null where it may answer differently each time. */
export function selectorKey(selector: Selector): string | null {
  if (typeof selector === "string") return JSON.stringify(selector);
  if (Array.isArray(selector)) {
    const keys = selector.map(selectorKey);
    return keys.includes(null) ? null : `[${keys.join()}]`;
  }
  if (typeof selector === "function") return null;
  if (selector instanceof RegExp) return String(selector);
  if (selector instanceof ModuleSelector && typeof selector.target === "string") return selector.text;
  return String(idOf(selector));
}
