import {
  bodiesOf,
  type Cell,
  type Expr,
  type LibraryFunction,
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

/** Every expression of some statements, each before its parts. */
export function eachExpr(body: readonly Stmt[], visit: (e: Expr) => void): void {
  const of = (e: Expr): void => {
    visit(e);
    for (const part of partsOf(e)) of(part);
  };
  for (const s of body) {
    if ("value" in s) of(s.value);
    if ("test" in s) of(s.test);
    if (s.op === "for") for (const e of [s.from, s.to]) of(e);
    if (s.op === "store") for (const e of placeParts(s.place)) of(e);
    if (s.op === "copy") for (const e of [...placeParts(s.to), ...placeParts(s.from), s.count]) of(e);
    if (s.op === "call") for (const o of s.operands) for (const e of [...o.place.at, ...o.sizes]) of(e);
    for (const inner of bodiesOf(s)) eachExpr(inner, visit);
  }
}

/** Every place in some statements. */
export function placesIn(body: readonly Stmt[], found = new Set<Place>()): Set<Place> {
  for (const s of body) {
    if (s.op === "store") found.add(s.place);
    if (s.op === "copy") for (const place of [s.to, s.from]) found.add(place);
    if (s.op === "call") for (const { place } of s.operands) found.add(place);
  }
  eachExpr(body, (e) => {
    if (e.op === "load") found.add(e.place);
  });
  for (const s of body) for (const inner of bodiesOf(s)) placesIn(inner, found);
  return found;
}

/** Whether an expression is the same throughout a call. */
export const isInvariant = (e: Expr): boolean =>
  e.type.scalar === "index" &&
  (e.op === "const" || e.op === "param" || ("args" in e && e.args.every(isInvariant)));
