import { ArgumentError, DTypeError, IndexError, SelectorError, ShapeError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { refuseOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { Module } from "../nn/module.ts";
import { Buffer } from "../tensor/buffer.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
import type { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ModuleSelector } from "./module-selector.ts";

/** A function that says of each parameter, by path, whether it is meant. */
export type SelectorPredicate = (path: string, parameter: Parameter) => boolean;

/** Some of the parameters, or buffers, that another selector names: made by `rows` or `elements`. */
export class RegionSelector<P extends string = string> {
  readonly selector: P | Exclude<Selector, string>;
  /** As errors and reports show it. */
  readonly text: string;
  /** The region of a parameter or buffer; null: all of it. */
  readonly regionOf: (member: Stored) => Region | null;

  constructor(
    selector: P | Exclude<Selector, string>,
    text: string,
    regionOf: (member: Stored) => Region | null,
  ) {
    this.selector = selector;
    this.text = text;
    this.regionOf = regionOf;
  }
}

/**
 * The slices at `indices` along a dimension (rows along 0, the default; negative ones from the last) of what a
 * selector names. An index counts from 0: a negative one, which may be a search that found nothing, is an error.
 */
export function rows<const P extends string>(
  selector: P | Exclude<Selector, string>,
  indices: Iterable<number>,
  options: { dim?: number } = {},
): RegionSelector<P> {
  refuseOptions("rows", options, { dim: null });
  const { dim = 0 } = options;
  const given = [...indices];
  if (given.length === 0) throw new SelectorError("rows: no indices; name at least one");
  const shown = given.length > 8 ? `${given.slice(0, 8).join(", ")}, … (${given.length})` : given.join(", ");
  const along = dim === 0 ? "" : `, { dim: ${dim} }`;
  const text = `rows(${selectorText(selector)}, [${shown}]${along})`;
  return new RegionSelector(selector, text, (p) => {
    if (!Number.isInteger(dim) || dim < -p.ndim || dim >= p.ndim)
      throw new IndexError(
        `${text}: ${nameOf(p)} of shape ${shapeText(p.shape)} has no dimension ${dim}; its dimensions are 0 to ${p.ndim - 1}`,
      );
    const axis = dim < 0 ? dim + p.ndim : dim;
    const size = p.shape[axis]!;
    for (const index of given)
      if (!Number.isInteger(index) || index < 0 || index >= size)
        throw new IndexError(
          `${text}: index ${index} is outside dimension ${axis} of ${nameOf(p)}, of shape ${shapeText(p.shape)}; indices there are 0 to ${size - 1}`,
        );
    const region = Region.along(p.shape, axis, given);
    return region.isWhole ? null : region;
  });
}

/**
 * The elements of what a selector names at which a mask is true: a bool tensor of its shape, booleans nested as that,
 * or as many booleans in row-major order.
 */
export function elements<const P extends string>(
  selector: P | Exclude<Selector, string>,
  mask: Tensor | BooleanMask,
): RegionSelector<P> {
  const tensor = mask instanceof Tensor ? mask : null;
  if (tensor !== null && tensor.dtype !== "bool")
    throw new DTypeError(
      `elements: the mask is ${tensor.dtype}; it must be bool, as a comparison such as weight.ne(0) gives`,
    );
  const { flags, shape } =
    tensor === null ? flattened(mask as BooleanMask) : { flags: tensor.dataSync(), shape: tensor.shape };
  const inOneLine = tensor === null && shape.length === 1;
  const places: number[] = [];
  for (let i = 0; i < flags.length; i++) if (flags[i]) places.push(i);
  if (places.length === 0)
    throw new SelectorError("elements: the mask is false everywhere; it names nothing");
  const text = `elements(${selectorText(selector)}, ${places.length} of ${flags.length})`;
  return new RegionSelector(selector, text, (p) => {
    if (inOneLine ? flags.length !== p.numel : !sameShape(shape, p.shape))
      throw new ShapeError(
        `${text}: the mask has shape ${shapeText(shape)}, ${nameOf(p)} has shape ${shapeText(p.shape)}; they must be the same`,
      );
    return places.length === flags.length ? null : Region.elements(p.shape, places);
  });
}

/** Booleans, nested or not, in row-major order. */
export type BooleanMask = readonly (boolean | BooleanMask)[];

/** The booleans of a mask in row-major order, and its shape. */
function flattened(mask: BooleanMask): { flags: boolean[]; shape: number[] } {
  const shape: number[] = [];
  for (let level: boolean | BooleanMask = mask; Array.isArray(level); level = level[0])
    shape.push(level.length);
  const flags: boolean[] = [];
  const walk = (item: boolean | BooleanMask, depth: number): void => {
    if (typeof item === "boolean" && depth === shape.length) flags.push(item);
    else if (Array.isArray(item) && item.length === shape[depth])
      for (const one of item) walk(one, depth + 1);
    else
      throw new ArgumentError(
        `elements: ${Array.isArray(item) ? `an array of ${item.length}` : `a ${typeof item}`} at depth ${depth} of the mask; ` +
          "it must be booleans, in arrays that are equally long at each depth, or a bool tensor",
      );
  };
  walk(mask, 0);
  return { flags, shape };
}

const nameOf = (p: Stored): string => p.label || "a parameter";

/**
 * Names parameters of a module. A string is a path or a glob (`output.**`, `*.weight`, `blocks.{0,1}.*`; `*` is one
 * segment, `**` any number of them), with `!` in front an exclusion, with an index behind it (`embedding.weight[32000:]`,
 * as NumPy's) some of each; a module stands for all parameters in it. An
 * array means all that its entries name, less its exclusions, wherever those stand; of exclusions alone, everything
 * but those. Where something is frozen, a buffer may be named too, or some of it: itself, by its path, or by a glob that
 * no parameter matches.
 */
export type Selector =
  | string
  | RegExp
  | Module
  | Parameter
  | Buffer
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
  if (selector instanceof Buffer)
    return `the buffer ${selector.label || `of shape [${selector.shape.join(", ")}]`}`;
  if (selector instanceof RegionSelector || selector instanceof ModuleSelector) return selector.text;
  if (typeof selector === "function") return `the function ${selector.name || "given"}`;
  return String(selector);
}

/** A selector as a key: equal keys name the same in one module. Null where it may answer differently each time. */
export function selectorKey(selector: Selector): string | null {
  // With its length before it, no string can be taken for several.
  if (typeof selector === "string") return `${selector.length}"${selector}`;
  if (Array.isArray(selector)) {
    let keys = "[";
    for (const one of selector) {
      const key = selectorKey(one);
      if (key === null) return null;
      keys += `${key},`;
    }
    return `${keys}]`;
  }
  // What is no selector has no key either: whoever looks it up says so.
  if (typeof selector !== "object" || selector === null) return null;
  if (selector instanceof RegExp) return String(selector);
  if (selector instanceof ModuleSelector && typeof selector.target === "string") return selector.text;
  return String(idOf(selector));
}
