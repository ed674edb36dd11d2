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
    for (const part of partsOf(e)) of(part);
  };
  for (const s of body) {
    const { exprs, places } = ownOf(s);
    for (const e of exprs) of(e);
    for (const place of places) for (const e of placeParts(place)) of(e);
    for (const inner of bodiesOf(s)) eachExpr(inner, visit);
  }
}

/** Every place in some statements. */
export function placesIn(body: readonly Stmt[], found = new Set<Place>()): Set<Place> {
  for (const s of body) {
    for (const place of ownOf(s).places) found.add(place);
    for (const inner of bodiesOf(s)) placesIn(inner, found);
  }
  eachExpr(body, (e) => {
    if (e.op === "load") found.add(e.place);
  });
  return found;
}

/** Whether an expression is the same throughout a call. */
export const isInvariant = (e: Expr): boolean =>
  e.type.scalar === "index" &&
  (e.op === "const" || e.op === "param" || ("args" in e && e.args.every(isInvariant)));
