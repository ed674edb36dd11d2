import { dtypes } from "../base/dtype.ts";
import { IndexError, ShapeError, type ThawError } from "../base/errors.ts";
import { isPlain } from "../base/plain.ts";
import { shapeText } from "../base/shape.ts";
import { Methods } from "./methods/base.ts";

/** What an argument may be. */
export interface Kind {
  /** What it is, as in "must be a whole number". */
  readonly what: string;
  readonly ok: (value: unknown) => boolean;
  readonly optional?: boolean;
  /** What is wrong with a value that looks right but is not; the default is an ArgumentError. */
  readonly error?: new (
    message: string,
  ) => ThawError;
  /** An argument of this kind, as text, for a value that somebody has given instead. */
  readonly remedy?: (value: unknown) => string | null;
}

/** Whether it is a tensor. */
export const isTensor = (x: unknown): boolean => x instanceof Methods;
/** Whether it is a number. */
export const isNumber = (x: unknown): boolean => typeof x === "number";
const isWhole = (x: unknown): boolean => Number.isSafeInteger(x);
/** Whether it is an array of which each entry is something. */
export const isList = (x: unknown, of: (item: unknown) => boolean): boolean =>
  Array.isArray(x) && every(x, of);

/** Unlike Array.every it does not leave out holes. */
function every(list: readonly unknown[], of: (item: unknown) => boolean): boolean {
  for (let i = 0; i < list.length; i++) if (!of(list[i])) return false;
  return true;
}

/** An argument that may be left out. */
export const maybe = (kind: Kind): Kind => ({
  ...kind,
  optional: true,
  ok: (x) => x === undefined || kind.ok(x),
});
/** An argument that may be left out, or null. */
export const nullable = (kind: Kind): Kind => ({
  ...kind,
  optional: true,
  ok: (x) => x === undefined || x === null || kind.ok(x),
});

const asTensor = (x: unknown): string | null =>
  typeof x === "number" || typeof x === "boolean" || Array.isArray(x) || ArrayBuffer.isView(x)
    ? "make a tensor of it with tensor(…)"
    : null;

/** A tensor. */
export const tensor: Kind = { what: "a tensor", ok: isTensor, remedy: asTensor };
/** What stands for a node of its own among operands, as a number that is to be a float does. */
const hasNode = (x: unknown): boolean =>
  typeof x === "object" &&
  x !== null &&
  "node" in x &&
  typeof x.node === "object" &&
  x.node !== null &&
  "op" in x.node;

/** What elementwise operations take beside a tensor. */
export const operand: Kind = {
  what: "a tensor, a number or a boolean",
  ok: (x) => typeof x === "number" || isTensor(x) || typeof x === "boolean" || hasNode(x),
  remedy: asTensor,
};
/** A number that stands among operands. */
export const real: Kind = {
  what: "a number",
  ok: (x) => typeof x === "number" || typeof x === "boolean" || (hasNode(x) && !isTensor(x)),
};
/** A list of tensors. */
export const tensors: Kind = {
  what: "a list of tensors",
  ok: (x) => isList(x, isTensor),
  remedy: (x) =>
    isTensor(x)
      ? "put the tensors into one list"
      : Array.isArray(x)
        ? faultyEntry(x, isTensor, "a tensor")
        : null,
};
/** Any number, NaN and infinities too. */
export const number: Kind = { what: "a number", ok: isNumber };
/** A number that is not below 0. */
export const nonNegative: Kind = {
  what: "a number from 0 on",
  ok: (x) => typeof x === "number" && x >= 0,
};
/** A number or a boolean. */
export const scalar: Kind = {
  what: "a number or a boolean",
  ok: (x) => real.ok(x),
};
/** true or false. */
export const boolean: Kind = { what: "true or false", ok: (x) => typeof x === "boolean" };
/** Text. */
export const string: Kind = { what: "a string", ok: (x) => typeof x === "string" };
/** A whole number. */
export const whole: Kind = { what: "a whole number", ok: isWhole };
/** How many there are of something. */
export const size: Kind = {
  what: "a whole number from 0 on",
  ok: (x) => isWhole(x) && (x as number) >= 0,
  error: ShapeError,
};
/** A dimension, from the front or, negative, from the end. */
export const dim: Kind = { what: "a dimension, a whole number", ok: isWhole, error: IndexError };
/** A dimension or a list of them. */
export const dims: Kind = {
  what: "a dimension or a list of them, whole numbers",
  ok: (x) => isWhole(x) || isList(x, isWhole),
  error: IndexError,
};
/** A list of dimensions. */
export const dimList: Kind = {
  what: "a list of dimensions, whole numbers",
  ok: (x) => isList(x, isWhole),
  remedy: asList,
};
/** Whole numbers, or one. */
export const wholes: Kind = {
  what: "a whole number or a list of them",
  ok: (x) => isWhole(x) || isList(x, isWhole),
};
/** A list of whole numbers. */
export const wholeList: Kind = {
  what: "a list of whole numbers",
  ok: (x) => isList(x, isWhole),
  remedy: asList,
};
/** The shape of a tensor that is made. */
export const shape: Kind = {
  what: "a shape: a list of whole numbers from 0 on",
  ok: (x) => isList(x, (d) => isWhole(d) && (d as number) >= 0),
  error: ShapeError,
  remedy: asList,
};
/** A shape in which -1 stands for a size that follows from others. */
export const sizes: Kind = {
  what: "a shape: a list of whole numbers, of which -1 is worked out",
  ok: (x) => isList(x, (d) => isWhole(d) && (d as number) >= -1),
  error: ShapeError,
  remedy: asList,
};
/** What names from other libraries are here. */
const dtypeNames: { readonly [name: string]: string } = {
  ...Object.fromEntries(Object.entries(dtypes).map(([name, { torch }]) => [torch, name])),
  float: "f32",
  double: "f64",
  half: "f16",
  int: "i32",
  long: "i32",
  int64: "i32",
  i64: "i32",
  boolean: "bool",
};
/** A dtype by name. */
export const dtype: Kind = {
  what: `a dtype: ${Object.keys(dtypes).join(", ")}`,
  ok: (x) => typeof x === "string" && Object.hasOwn(dtypes, x),
  remedy: (x) =>
    typeof x === "string" && Object.hasOwn(dtypeNames, x) ? `write ${JSON.stringify(dtypeNames[x])}` : null,
};
/** One of some texts. */
export const oneOf = (...values: readonly string[]): Kind => ({
  what: `one of ${values.map((v) => JSON.stringify(v)).join(", ")}`,
  ok: (x) => typeof x === "string" && values.includes(x),
});
/** Elements in one row, as numbers or a typed array. */
export const flatData: Kind = {
  what: "a list of numbers or a typed array",
  ok: (x) => isList(x, isNumber) || (ArrayBuffer.isView(x) && !(x instanceof DataView)),
  remedy: (x) => (Array.isArray(x) ? "use tensor(…) for nested arrays and for booleans" : null),
};
/** What the operation itself looks at. */
export const anything: Kind = { what: "given", ok: (x) => x !== undefined };
/** Either of two kinds. */
export const either = (a: Kind, b: Kind): Kind => ({
  what: `${a.what}, or ${b.what}`,
  ok: (x) => a.ok(x) || b.ok(x),
  remedy: (x) => a.remedy?.(x) ?? b.remedy?.(x) ?? null,
});

function asList(x: unknown): string | null {
  return typeof x === "number" ? "put the numbers into one list" : null;
}

function faultyEntry(list: readonly unknown[], ok: (x: unknown) => boolean, what: string): string | null {
  for (let i = 0; i < list.length; i++)
    if (!ok(list[i])) return `entry ${i} is ${described(list[i])}, not ${what}`;
  return null;
}

/** Names in quotes, with commas. */
export const quoted = (names: readonly string[]): string =>
  names.map((name) => JSON.stringify(name)).join(", ");

/** What a value is, in a few words. */
export function described(value: unknown): string {
  if (value instanceof Methods) return `a tensor of shape ${shapeText(value.node.shape)}`;
  if (value instanceof Promise) return "a promise";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "bigint") return `the BigInt ${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) {
    const plain = value.length <= 8 && every(value, (x) => typeof x === "number");
    return plain ? shapeText(value) : `an array of ${value.length}`;
  }
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (isPlain(value)) return `an object with ${quoted(Object.keys(value)) || "nothing"}`;
  return `a ${value.constructor?.name ?? "object"}`;
}
