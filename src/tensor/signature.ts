import { ArgumentError, type ThawError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { isPlain } from "../base/plain.ts";
import { shapeText } from "../base/shape.ts";
import { described, isList, isNumber, isTensor, type Kind, quoted } from "./argument-kinds.ts";

/**
 * What a public operation may be called with. JavaScript lets anything be passed: what a signature does not allow is
 * refused before the operation begins, by an error that names the operation, what was given, and the way to call it.
 */
export interface Signature {
  readonly params: readonly Param[];
  /** How many these are. */
  readonly count: number;
  /** Options by name, which come in an object after the others; null: there are none. */
  readonly options: { readonly [name: string]: Kind } | null;
  /** Whether they may not be left out altogether. */
  readonly needsOptions: boolean;
  /** Any number of arguments of the last kind. */
  readonly rest: boolean;
}

interface Param extends Kind {
  readonly name: string;
}

/** Its arguments are put in a row when they are first asked for: most of hundreds of operations are never called. */
class NamedSignature implements Signature {
  readonly count: number;
  readonly options: { readonly [name: string]: Kind } | null;
  readonly needsOptions: boolean;
  readonly rest: boolean;
  readonly #named: { readonly [name: string]: Kind };
  #params: readonly Param[] | null = null;

  constructor(
    named: { readonly [name: string]: Kind },
    options: { readonly [name: string]: Kind } | null,
    needsOptions: boolean,
    rest: boolean,
  ) {
    this.#named = named;
    this.options = options;
    this.needsOptions = needsOptions;
    this.rest = rest;
    this.count = Object.keys(named).length;
  }

  get params(): readonly Param[] {
    return (this.#params ??= Object.entries(this.#named).map(([name, kind]) => ({ name, ...kind })));
  }
}

/** A signature: arguments in order, by name, and options. */
export const takes = (
  params: { readonly [name: string]: Kind } = {},
  options: { readonly [name: string]: Kind } | null = null,
  needsOptions = false,
): Signature => new NamedSignature(params, options, needsOptions, false);

/** As `takes`, with any number of arguments of the last kind. */
export const takesAny = (params: { readonly [name: string]: Kind }): Signature =>
  new NamedSignature(params, null, false, true);

/** A function that refuses what its signature does not allow, and otherwise is the one given. */
export function checked<F extends (...args: never[]) => unknown>(
  op: string,
  signature: Signature,
  operation: F,
): F {
  // Stacks, of which `engine/call-site.ts` makes out what was called, have it by the name that users know.
  Object.defineProperty(operation, "name", { value: op });
  return guarded(op, signature, operation as unknown as Any) as unknown as F;
}

/** Puts a check of its signature before each method that a table names, wherever in the chain of classes it is. */
export function checkMethods(prototype: object, signatures: { readonly [name: string]: Signature }): void {
  const left = new Set(Object.keys(signatures));
  for (let owner = prototype; left.size > 0; owner = Object.getPrototypeOf(owner)) {
    const methods = owner as Record<string, Any>;
    for (const name of Object.getOwnPropertyNames(owner))
      if (left.delete(name)) methods[name] = guarded(name, signatures[name]!, methods[name]!);
  }
}

type Any = (this: unknown, ...args: unknown[]) => unknown;
type Test = Kind["ok"];

/** Written out by number of arguments: a call costs a look at each of them and no array of them. */
function guarded(op: string, signature: Signature, operation: Any): Any {
  const most = signature.rest
    ? Number.POSITIVE_INFINITY
    : signature.count + (signature.options === null ? 0 : 1);
  // The tests of the arguments, made out at the first call.
  let p: Test | undefined;
  let q: Test | undefined;
  let r: Test | undefined;
  // The name of these functions is known to `engine/call-site.ts`. They look at `arguments`, of which V8 makes no array
  // as long as only its length is read, and that is at most the arguments that there are.
  /* biome-ignore-start lint/complexity/noArguments: rest parameters are an array at each call. */
  if (most === 0)
    return function checked() {
      if (arguments.length > 0) refuseUnless(op, signature, arguments);
      return operation.call(this);
    };
  if (most === 1)
    return function checked(a) {
      p ??= testOf(signature, 0);
      if (!p(a) || arguments.length > 1) refuseUnless(op, signature, arguments);
      return operation.call(this, a);
    };
  if (most === 2)
    return function checked(a, b) {
      p ??= testOf(signature, 0);
      q ??= testOf(signature, 1);
      if (!p(a) || !q(b) || arguments.length > 2) refuseUnless(op, signature, arguments);
      return operation.call(this, a, b);
    };
  if (most === 3)
    return function checked(a, b, c) {
      p ??= testOf(signature, 0);
      q ??= testOf(signature, 1);
      r ??= testOf(signature, 2);
      if (!p(a) || !q(b) || !r(c) || arguments.length > 3) refuseUnless(op, signature, arguments);
      return operation.call(this, a, b, c);
    };
  return function checked(...args) {
    refuseUnless(op, signature, args);
    return operation.apply(this, args);
  };
  /* biome-ignore-end lint/complexity/noArguments: as above. */
}

/** Whether the argument at a place may be what it is; the options come after the others. */
const testOf = ({ params, options, needsOptions }: Signature, at: number): Test =>
  (params[at] ?? optionsKind(options!, needsOptions)).ok;

/** What says nothing: nothing, or no options. */
const isNothing = (x: unknown): boolean => x === undefined || (isPlain(x) && Object.keys(x).length === 0);

/** An object of options. That of a class, as a module that has options as fields, may have other fields too. */
const isBag = (x: unknown): x is Record<string, unknown> =>
  typeof x === "object" &&
  x !== null &&
  !isTensor(x) &&
  !Array.isArray(x) &&
  !ArrayBuffer.isView(x) &&
  !(x instanceof Promise);

function optionsKind(options: { readonly [name: string]: Kind }, needed: boolean): Kind {
  const known = new Map(Object.entries(options));
  return {
    what: "options",
    ok(x) {
      if (x === undefined) return !needed;
      if (!isBag(x)) return false;
      const plain = isPlain(x);
      for (const name in x) {
        const kind = known.get(name);
        if (kind === undefined ? plain : x[name] !== undefined && !kind.ok(x[name])) return false;
      }
      return true;
    },
  };
}

/** Throws for arguments that a signature does not allow: of a constructor, say, which `checked` cannot stand before. */
export function refuseUnless(op: string, signature: Signature, given: ArrayLike<unknown>): void {
  const args = Array.from(given);
  const { params, options, rest } = signature;
  const fixed = rest ? params.length - 1 : params.length;
  for (let i = 0; i < fixed; i++) if (!params[i]!.ok(args[i])) refuse(op, signature, args);
  if (rest) {
    const { ok } = params[fixed]!;
    for (let i = fixed; i < args.length; i++) if (!ok(args[i])) refuse(op, signature, args);
  } else {
    if (options !== null && !optionsKind(options, signature.needsOptions).ok(args[params.length]))
      refuse(op, signature, args);
    for (let i = params.length + (options === null ? 0 : 1); i < args.length; i++)
      if (!isNothing(args[i])) refuse(op, signature, args);
  }
}

/** Says what is wrong with the first argument that is. */
function refuse(op: string, signature: Signature, args: readonly unknown[]): never {
  const { params, options, rest } = signature;
  const usage = usageOf(op, signature);
  const count = rest ? Math.max(args.length, params.length - 1) : params.length;
  for (let i = 0; i < count; i++) {
    const param = params[Math.min(i, params.length - 1)]!;
    if (!param.ok(args[i])) throw refusal(op, param, args, i, usage);
  }
  const [bag, ...more] = args.slice(params.length);
  const extra = options === null ? [bag, ...more] : more;
  const next = options === null ? bag : isBag(bag) || bag === undefined ? more[0] : bag;
  if (options === null && isPlain(bag))
    throw new ArgumentError(`${op}: it takes no option ${quoted(Object.keys(bag))}; write ${usage}`);
  if (options !== null && isBag(bag)) {
    const unknown = isPlain(bag) ? Object.keys(bag).find((name) => !Object.hasOwn(options, name)) : undefined;
    if (unknown !== undefined)
      throw new ArgumentError(
        `${op}: there is no option ${JSON.stringify(unknown)}; ${suggestion(unknown, signature)}write ${usage}`,
      );
    for (const [name, kind] of Object.entries(options))
      if (bag[name] !== undefined && !kind.ok(bag[name]))
        throw new (kind.error ?? ArgumentError)(
          `${op}: the option ${name} is ${described(bag[name])}; it must be ${kind.what}${remedyOf(kind, bag[name])}`,
        );
  }
  if (signature.needsOptions && bag === undefined)
    throw new ArgumentError(`${op}: there are no options; write ${usage}`);
  throw new ArgumentError(
    `${op}: ${described(next ?? extra[0])} is one argument too many, or no object of options; write ${usage}`,
  );
}

function refusal(op: string, param: Param, args: readonly unknown[], at: number, usage: string): ThawError {
  const value = args[at];
  if (value === undefined) return new ArgumentError(`${op}: ${param.name} is missing; write ${usage}`);
  // Numbers, or tensors, one after the other, where one list of them is meant.
  const item = isTensor(value) ? isTensor : isNumber;
  if (param.remedy !== undefined && /^a (?:list|shape)/.test(param.what) && item(value)) {
    const end = args.findIndex((x, i) => i > at && !item(x));
    const items = args.slice(at, end < 0 ? undefined : end);
    const list = item === isNumber ? shapeText(items as number[]) : `[${items.map(() => "…").join(", ")}]`;
    return new ArgumentError(
      `${op}: ${param.name} is one list, not ${items.length} argument${items.length === 1 ? "" : "s"}; write ${op}(${at > 0 ? "…, " : ""}${list})`,
    );
  }
  const looksRight = param.error !== undefined && (isNumber(value) || isList(value, isNumber));
  return new (looksRight ? param.error! : ArgumentError)(
    `${op}: ${param.name} is ${described(value)}; it must be ${param.what}${remedyOf(param, value)}; write ${usage}`,
  );
}

function remedyOf(kind: Kind, value: unknown): string {
  if (value instanceof Promise) return "; await it first";
  const remedy = kind.remedy?.(value) ?? null;
  return remedy === null ? "" : `; ${remedy}`;
}

/** `sum(dim?, { keepdim?, dtype? })`. */
function usageOf(op: string, { params, options, rest }: Signature): string {
  const parts = params.map(
    ({ name, optional }, i) => `${rest && i === params.length - 1 ? "..." : ""}${name}${optional ? "?" : ""}`,
  );
  if (options !== null)
    parts.push(
      `{ ${Object.keys(options)
        .map((name) => `${name}?`)
        .join(", ")} }`,
    );
  return `${op}(${parts.join(", ")})`;
}

/** What names of options in other libraries are called here. */
const foreign: { readonly [name: string]: string } = {
  axis: "dim",
  axes: "dim",
  dims: "dim",
  keepdims: "keepdim",
  ddof: "correction",
  unbiased: "correction",
  device: "",
};

function suggestion(name: string, { params, options }: Signature): string {
  const positional = params.map((p) => p.name);
  const known = [...positional, ...Object.keys(options ?? {})];
  const meant = known.includes(foreign[name] ?? "") ? foreign[name] : nearest(name, known, 1)[0];
  if (meant === undefined || foreign[name] === "") return "";
  return positional.includes(meant)
    ? `${meant} is not among the options but comes before them, `
    : `${JSON.stringify(meant)} is meant, perhaps; `;
}
