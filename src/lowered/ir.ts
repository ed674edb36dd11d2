/**
 * The lowered kernel language: what stands between the kernels of a plan and the texts of targets. A kernel is a tree of
 * statements over typed expressions, and says nothing of how a target reaches memory: an access is reached by
 * coordinates, one a dimension, and the target makes addresses of them.
 */

/**
 * What is computed with. `index` counts elements: 64 bits in C, 32 in wasm and on GPUs; it never overflows, where i32 and
 * u32 wrap. i64 is only in vectors, for the bits of f64.
 */
export type Scalar = "f32" | "f64" | "i32" | "u32" | "i64" | "bool" | "index";

/** A scalar, or a vector of so many. A vector of bool is a mask; there are none of `index`. */
export interface Type {
  readonly scalar: Scalar;
  readonly lanes: number;
}

/** What memory holds: `u8` and `u16` are an i32 when loaded, with zeros above, and give their low bits when stored. */
export type Cell = "f32" | "f64" | "i32" | "u8" | "u16";

/**
 * A number that each call of a kernel brings. Extents are never negative; strides count elements and may be; a block is one
 * at least, and is how much of a product's rows (0) or columns (1) is one task. The `offset` of an argument without memory is
 * what it is at coordinates of zero: an index that a kernel only computes with.
 */
export type Param =
  | { readonly kind: "extent"; readonly dim: number }
  | { readonly kind: "block"; readonly dim: number }
  | { readonly kind: "offset"; readonly access: number }
  | { readonly kind: "stride"; readonly access: number; readonly dim: number };

/** Something that a kernel reads or writes. */
export interface Access {
  readonly cell: Cell;
  /**
   * Where it is: an argument of the call, its number; or a buffer of the kernel's own, of so many elements, which the
   * threads of a group share and whose extents are constants. Elements of two arguments are the same only where their
   * `alias` is, so that a target that has to bind buffers knows which ones it may bind apart.
   */
  readonly memory: { readonly argument: number; readonly alias: number } | { readonly local: number };
  /** Indices along each dimension are from 0 to below these: expressions of parameters alone. */
  readonly extents: readonly Expr[];
  readonly strides: readonly Expr[];
  readonly written: boolean;
}

/** What a statement has given a name. One object is one name, whatever it is called in a text. */
export interface Name {
  readonly hint: string;
  readonly type: Type;
}

/** An element of an access, or a vector of elements along one of its dimensions. */
export interface Place {
  readonly access: number;
  /** A coordinate for each dimension. */
  readonly at: readonly Expr[];
  /**
   * Lanes: along which dimension; `packed`: whether elements follow each other in memory, which an enclosing `if` must
   * have found out where the stride is a parameter; `live`: how many lanes there are, from 1 on, if not all; `each`: along
   * another dimension, where `at` is 0, every lane has a coordinate of its own, an i32 that is in range, as `why` says.
   */
  readonly along?: {
    readonly dim: number;
    readonly packed: boolean;
    readonly live?: Expr;
    readonly each?: { readonly dim: number; readonly index: Expr; readonly why: string };
  };
}

/** Operations on one value. `floor` to `round` (to even) are of floats. */
export type Unary = "neg" | "abs" | "floor" | "ceil" | "trunc" | "round" | "sqrt" | "not";
/**
 * Operations on two values of one type. `min` and `max` of floats are NaN where either is, and 0 is more than -0; `atMost`
 * and `atLeast` are the same for a limit that is no NaN, in one instruction: which of two zeros they give is not said.
 * `div` and `rem` are truncated, of positive integers; shifts are by less than the bits, and `shr` fills in zeros for u32
 * and i64, the sign for i32. Comparisons give bool.
 */
export type Binary =
  | (
      | "add"
      | "sub"
      | "mul"
      | "div"
      | "rem"
      | "min"
      | "max"
      | "atMost"
      | "atLeast"
      | "and"
      | "or"
      | "xor"
      | "shl"
      | "shr"
    )
  | Comparison;
/** They give bool; of floats none holds for NaN but `ne`. */
export type Comparison = "eq" | "ne" | "lt" | "le";
/** Functions that a target has in a library or imports: computed in f64, lane by lane, and rounded. `fmod` is C's. */
export type LibraryFunction =
  | ("exp" | "log" | "expm1" | "log1p" | "sin" | "cos" | "tanh" | "erf" | "erfc")
  | ("pow" | "fmod");

/** A value. Writing one twice computes it twice: what is used more than once is named by a `let`. */
export type Expr = { readonly type: Type } & (
  | { readonly op: "const"; readonly value: number }
  | { readonly op: "param"; readonly param: Param }
  | { readonly op: "ref"; readonly name: Name }
  | { readonly op: "load"; readonly place: Place }
  | { readonly op: Unary; readonly args: readonly [Expr] }
  | { readonly op: Binary; readonly args: readonly [Expr, Expr] }
  /** a · b + c, rounded once. */
  | { readonly op: "fma"; readonly args: readonly [Expr, Expr, Expr] }
  /** The second where the first, a bool, is set; the third elsewhere. Both are computed. */
  | { readonly op: "select"; readonly args: readonly [Expr, Expr, Expr] }
  /** Another scalar of the same number of lanes. Floats become integers towards zero, saturating; NaN becomes 0. */
  | { readonly op: "convert"; readonly args: readonly [Expr] }
  /** The same bits: between f32, i32, u32 and, of vectors, masks. */
  | { readonly op: "bits"; readonly args: readonly [Expr] }
  /** A scalar in all lanes; a lane of a vector; lane i is lane i + by, around. */
  | { readonly op: "splat"; readonly args: readonly [Expr] }
  | { readonly op: "lane"; readonly args: readonly [Expr]; readonly lane: number }
  | { readonly op: "rotate"; readonly args: readonly [Expr]; readonly by: number }
  /** Lanes of two vectors, numbered through. */
  | { readonly op: "shuffle"; readonly args: readonly [Expr, Expr]; readonly from: readonly number[] }
  /** The numbers of the lanes, from 0. */
  | { readonly op: "iota" }
  /** Of a vector of f32 or i32 the lanes from `part` · n on as f64, where n is how many this one has. */
  | { readonly op: "widen"; readonly args: readonly [Expr]; readonly part: number }
  /** All parts as one vector: f64 rounded to f32, or to i32 if they are in its range; of i64 the low words. */
  | { readonly op: "narrow"; readonly args: readonly Expr[] }
  /** Whether any lane of a mask is set. */
  | { readonly op: "any"; readonly args: readonly [Expr] }
  /** `live`: lanes that there are, if not all; the others may hold anything. */
  | { readonly op: LibraryFunction; readonly args: readonly Expr[]; readonly live?: Expr }
  /** Whether 0 ≤ the first < the second, of index; the second is not negative. A guard, in one comparison. */
  | { readonly op: "inside"; readonly args: readonly [Expr, Expr] }
  /**
   * The first, an index that is known to be from 0 to below the second: `why` says from what, if the kernel's own
   * statements do not show it (a check that came before, say). The interpreter looks; a target whose queue cannot be
   * stopped limits it.
   */
  | { readonly op: "within"; readonly args: readonly [Expr, Expr]; readonly why: string }
);

/**
 * One way to go through a loop: so many indices at a time, while there are as many. Where there are any, `enter` comes
 * before them, and gives names that the body knows; `leave` comes after them.
 */
export interface Step {
  readonly by: number;
  readonly body: readonly Stmt[];
  readonly enter?: readonly Stmt[];
  readonly leave?: readonly Stmt[];
}

/** What a kernel does, in order. */
export type Stmt =
  | { readonly op: "let"; readonly name: Name; readonly value: Expr }
  /**
   * A variable. An index may have bounds, which hold whenever it is read: from `least` to below `below`. A loop carries
   * its values in such variables.
   */
  | {
      readonly op: "var";
      readonly name: Name;
      readonly value: Expr;
      readonly bounds?: { readonly least: Expr; readonly below: Expr };
    }
  | { readonly op: "set"; readonly name: Name; readonly value: Expr }
  /**
   * `index` goes from `from` to below `to`, which may be read from memory, and limited by `min`. Steps follow each other,
   * larger before smaller; `rest` does at once what is left after them, `live` indices. `parallel`: iterations do not
   * depend on each other. "tasks": the outermost loop, which a call does any part of (`from` is 0);
   * "threads": shared out among a group's threads, each of which does every other statement.
   */
  | {
      readonly op: "for";
      readonly index: Name;
      readonly from: Expr;
      readonly to: Expr;
      readonly steps: readonly Step[];
      readonly rest?: { readonly live: Name; readonly body: readonly Stmt[] };
      readonly parallel?: "tasks" | "threads";
      /** Whether the body is written out for each index: `from` and `to` are constants. */
      readonly unroll?: boolean;
    }
  | { readonly op: "while"; readonly test: Expr; readonly body: readonly Stmt[] }
  /** Leaves the innermost `while`. */
  | { readonly op: "break" }
  | {
      readonly op: "if";
      readonly test: Expr;
      readonly body: readonly Stmt[];
      readonly otherwise: readonly Stmt[];
    }
  | { readonly op: "store"; readonly place: Place; readonly value: Expr }
  /** So many packed elements along a dimension of each: the two do not overlap, and have one type of cells. */
  | { readonly op: "copy"; readonly to: Place; readonly from: Place; readonly count: Expr }
  /** Will be loaded soon. A hint, and no access: the place may be outside. */
  | { readonly op: "prefetch"; readonly place: Place }
  /** All threads of the group have come so far, and see each other's stores. */
  | { readonly op: "barrier" }
  /** A leaf that each target writes by hand, such as a register tile. The threads of a group do it together, between barriers. */
  | { readonly op: "call"; readonly tile: Tile; readonly operands: readonly Operand[] };

/** A block of an access that a tile works on: from `place` on, so many elements along each dimension. */
export interface Operand {
  readonly place: Place;
  readonly sizes: readonly Expr[];
}

/** What a leaf means: targets find their own text by its name. */
export interface Tile {
  readonly name: string;
  /** Does on views of the operands what the tile does; for the interpreter. */
  meaning(operands: readonly TileView[]): void;
}

/** An operand of a tile while it is interpreted; coordinates are relative to its place. */
export interface TileView {
  readonly sizes: readonly number[];
  get(...at: number[]): number;
  set(value: number, ...at: number[]): void;
}

/** A kernel, lowered. */
export interface Lowered {
  /** What it is called by people. */
  readonly name: string;
  /** Arguments first, in the order of the plan's kernel. */
  readonly accesses: readonly Access[];
  /**
   * An argument whose first element, where it is not 0, keeps the kernel from doing anything; null: none. For targets whose
   * queue goes on after a check has failed; others stop before such a kernel.
   */
  readonly status: number | null;
  /** Threads that do the body together; 1 on processors. */
  readonly threads: number;
  readonly body: readonly Stmt[];
}

const leaf: readonly Expr[] = [];

/** The expressions that an expression is made of, loads' coordinates among them. */
export function partsOf(e: Expr): readonly Expr[] {
  if ("args" in e) return "live" in e && e.live !== undefined ? [...e.args, e.live] : e.args;
  return e.op === "load" ? placeParts(e.place) : leaf;
}

/** The expressions of a place. */
export const placeParts = ({ at, along }: Place): readonly Expr[] =>
  along?.live === undefined && along?.each === undefined
    ? at
    : [...at, ...(along.live ? [along.live] : []), ...(along.each ? [along.each.index] : [])];

const none: readonly (readonly Stmt[])[] = [];

/** The bodies of a statement. */
export function bodiesOf(s: Stmt): readonly (readonly Stmt[])[] {
  if (s.op === "let" || s.op === "set" || s.op === "store") return none;
  if (s.op === "for")
    return [
      ...s.steps.flatMap(({ enter = [], body, leave = [] }) => [enter, body, leave]),
      ...(s.rest ? [s.rest.body] : []),
    ];
  if (s.op === "while") return [s.body];
  return s.op === "if" ? [s.body, s.otherwise] : none;
}

/** The elements of a buffer of the kernel's own; null of an argument. */
export const localSize = ({ memory }: Access): number | null => ("local" in memory ? memory.local : null);

/** The variables that some statements set, however deep. */
export function assigned(body: readonly Stmt[], found = new Set<Name>()): Set<Name> {
  for (const s of body) {
    if (s.op === "set") found.add(s.name);
    for (const inner of bodiesOf(s)) assigned(inner, found);
  }
  return found;
}

/** The type of what a cell holds once it is loaded. */
export const scalarOf = (cell: Cell): Scalar => (cell === "f32" || cell === "f64" ? cell : "i32");
