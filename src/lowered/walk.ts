import {
  type Access,
  bodiesOf,
  type Cell,
  type Expr,
  type LibraryFunction,
  localSize,
  type Name,
  type Param,
  type Place,
  partsOf,
  placeParts,
  type Stmt,
} from "./ir.ts";

/** Bytes of what memory holds. */
export const cellBytes: { readonly [C in Cell]: number } = { f32: 4, f64: 8, i32: 4, u8: 1, u16: 2 };

/** Bytes that a buffer of a kernel's own takes: each begins at a multiple of 64. */
export const localBytes = (access: Access): number =>
  Math.ceil(((localSize(access) ?? 0) * cellBytes[access.cell]) / 64) * 64;

/** An expression with operands. */
export type Operation = Extract<Expr, { args: readonly Expr[] }>;

const functions = {
  exp: true,
  log: true,
  expm1: true,
  log1p: true,
  sin: true,
  cos: true,
  tanh: true,
  erf: true,
  erfc: true,
  pow: true,
  fmod: true,
} satisfies { [F in LibraryFunction]: true };
/** The functions of a library. */
export const libraryFunctions: ReadonlySet<string> = new Set(Object.keys(functions));

/** Operations that are operators, as people and most languages write them. */
export const infix: { readonly [op: string]: string } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  rem: "%",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr: ">>",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
};

/** An expression and all that it is made of, each before its parts. */
export function eachPart(e: Expr, visit: (e: Expr) => void): void {
  visit(e);
  if (e.op !== "ref" && e.op !== "const") for (const part of partsOf(e)) eachPart(part, visit);
}

/** What a statement has of its own, without its bodies: expressions, and places, but for those of loads. */
export function ownOf(s: Stmt): { readonly exprs: readonly Expr[]; readonly places: readonly Place[] } {
  switch (s.op) {
    case "let":
    case "var":
    case "set":
      return { exprs: [s.value], places: [] };
    case "for":
      return { exprs: [s.from, s.to], places: [] };
    case "while":
    case "if":
      return { exprs: [s.test], places: [] };
    case "store":
      return { exprs: [s.value], places: [s.place] };
    case "prefetch":
      return { exprs: [], places: [s.place] };
    case "copy":
      return { exprs: [s.count], places: [s.to, s.from] };
    case "call":
      return { exprs: s.operands.flatMap((o) => o.sizes), places: s.operands.map((o) => o.place) };
    default:
      return { exprs: [], places: [] };
  }
}

/** Every expression of a statement, but for those of its bodies. */
function eachOwn(s: Stmt, visit: (e: Expr) => void): void {
  const { exprs, places } = ownOf(s);
  for (const e of exprs) eachPart(e, visit);
  for (const place of places) for (const e of placeParts(place)) eachPart(e, visit);
}

/** Every expression of some statements, each before its parts. */
export function eachExpr(body: readonly Stmt[], visit: (e: Expr) => void): void {
  for (const s of body) {
    eachOwn(s, visit);
    for (const inner of bodiesOf(s)) eachExpr(inner, visit);
  }
}

/** Places in bodies that have been looked through: loops ask for those of all that is in them. */
const known = new WeakMap<readonly Stmt[], ReadonlySet<Place>>();

/** Every place in some statements. */
export function placesIn(body: readonly Stmt[]): ReadonlySet<Place> {
  const there = known.get(body);
  if (there !== undefined) return there;
  const found = new Set<Place>();
  for (const s of body) {
    for (const place of ownOf(s).places) found.add(place);
    eachOwn(s, (e) => {
      if (e.op === "load") found.add(e.place);
    });
    for (const inner of bodiesOf(s)) for (const place of placesIn(inner)) found.add(place);
  }
  known.set(body, found);
  return found;
}

/**
 * What people read of a parameter: n1 is an extent, block0 one of a task, s0.1 the stride of access 0 along dimension 1, x2
 * an offset.
 */
export function paramText(p: Param): string {
  if (p.kind === "stride") return `s${p.access}.${p.dim}`;
  return p.kind === "offset" ? `x${p.access}` : `${p.kind === "extent" ? "n" : "block"}${p.dim}`;
}

/** A text that tells indices apart; `name`: what a name is called, if it may be in them. */
export function indexKey(e: Expr, name: (name: Name) => unknown = () => ""): string {
  switch (e.op) {
    case "const":
      return `${e.value}`;
    case "param":
      return paramText(e.param);
    case "ref":
      return `'${name(e.name)}`;
    default:
      return `${e.op} ${e.type.scalar}(${partsOf(e).map((part) => indexKey(part, name))})`;
  }
}

/** Whether an expression is the same throughout a call. */
export const isInvariant = (e: Expr): boolean =>
  e.type.scalar === "index" &&
  (e.op === "const" || e.op === "param" || ("args" in e && e.args.every(isInvariant)));
