import {
  bodiesOf,
  type Cell,
  type Expr,
  type LibraryFunction,
  type Name,
  type Param,
  type Place,
  partsOf,
  placeParts,
  type Stmt,
} from "./ir.ts";

/** Bytes of what memory holds. */
export const cellBytes: { readonly [C in Cell]: number } = { f32: 4, f64: 8, i32: 4, u8: 1, u16: 2 };

/** An expression with operands. */
export type Operation = Extract<Expr, { args: readonly Expr[] }>;

/** The functions of a library. */
export const libraryFunctions: ReadonlySet<string> = new Set<LibraryFunction>([
  "exp",
  "log",
  "expm1",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "erf",
  "erfc",
  "pow",
  "fmod",
]);

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

/** What a statement has of its own, without its bodies: expressions, and places that it writes or copies. */
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
    case "copy":
      return { exprs: [s.count], places: [s.to, s.from] };
    case "call":
      return { exprs: s.operands.flatMap((o) => o.sizes), places: s.operands.map((o) => o.place) };
    default:
      return { exprs: [], places: [] };
  }
}

/** Every expression of some statements, each before its parts. */
export function eachExpr(body: readonly Stmt[], visit: (e: Expr) => void): void {
  const of = (e: Expr): void => {
    visit(e);
    if (e.op !== "ref" && e.op !== "const") for (const part of partsOf(e)) of(part);
  };
  for (const s of body) {
    const { exprs, places } = ownOf(s);
    for (const e of exprs) of(e);
    for (const place of places) for (const e of placeParts(place)) of(e);
    for (const inner of bodiesOf(s)) eachExpr(inner, visit);
  }
}

const places = new WeakMap<readonly Stmt[], ReadonlySet<Place>>();

/** Every place in some statements, which do not change any more: they are looked through once. */
export function placesIn(body: readonly Stmt[]): ReadonlySet<Place> {
  const known = places.get(body);
  if (known !== undefined) return known;
  const found = new Set<Place>();
  const inExpr = (e: Expr): void => {
    if (e.op === "ref" || e.op === "const") return;
    if (e.op === "load") found.add(e.place);
    for (const part of partsOf(e)) inExpr(part);
  };
  for (const s of body) {
    const own = ownOf(s);
    for (const e of own.exprs) inExpr(e);
    for (const place of own.places) {
      found.add(place);
      for (const e of placeParts(place)) inExpr(e);
    }
    for (const inner of bodiesOf(s)) for (const place of placesIn(inner)) found.add(place);
  }
  places.set(body, found);
  return found;
}

/** What people read of a parameter: n1 is an extent, s0.1 the stride of access 0 along dimension 1, x2 an offset. */
export const paramText = (p: Param): string =>
  p.kind === "extent" ? `n${p.dim}` : p.kind === "offset" ? `x${p.access}` : `s${p.access}.${p.dim}`;

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
