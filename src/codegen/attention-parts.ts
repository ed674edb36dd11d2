import { mostHeadSize } from "../ir/infer-attention.ts";
import { constant, count, type KernelBuilder, ops, param, ref, typeOf } from "../lowered/build.ts";
import type { Expr, Name, Place } from "../lowered/ir.ts";
import type { AttentionKernel } from "../plan/kernel.ts";
import type { AttentionPolicy } from "./attention-policy.ts";
import { transposed } from "./contract-pack.ts";
import { ceilDiv, one, zero } from "./contract-parts.ts";
import { tiles } from "./product-tile.ts";
import { plus, threefry, threefryOfTwo, type Words } from "./threefry.ts";

const { add, div, eq, min, mul, ne, rem, select, splat, sub, within } = ops;

/** The extents of a call. */
const [batches, heads, group, queries, keys, keySize, valueSize] = Array.from({ length: 7 }, (_, dim) =>
  param({ kind: "extent", dim }),
) as [Expr, Expr, Expr, Expr, Expr, Expr, Expr];
const extents = [batches, heads, group, queries, keys, keySize, valueSize];

/** Along which extents an operand goes; it is packed along the last one, but for numbers of rows. */
const along = {
  queries: [0, 1, 2, 3, 5],
  keys: [0, 1, 4, 5],
  values: [0, 1, 4, 6],
  pairs: [0, 1, 2, 3, 4],
  rows: [0, 1, 2, 3],
  results: [0, 1, 2, 3, 6],
} as const;

/** What the kernels of attention have in common. */
export class Attention {
  readonly b: KernelBuilder;
  readonly kernel: AttentionKernel;
  readonly policy: AttentionPolicy;
  readonly queries = queries;
  readonly keys = keys;
  readonly group = group;
  /** No more than `mostHeadSize`, which is what buffers have room for. */
  readonly keySize: Expr;
  readonly valueSize: Expr;
  readonly lanes: number;
  #arguments = 0;

  constructor(b: KernelBuilder, kernel: AttentionKernel, policy: AttentionPolicy) {
    this.b = b;
    this.kernel = kernel;
    this.policy = policy;
    this.keySize = min(keySize, count(mostHeadSize));
    this.valueSize = min(valueSize, count(mostHeadSize));
    this.lanes = policy.product.registers.lanes;
  }

  /** Declares the next argument. */
  operand(kind: keyof typeof along, written = false): number {
    const number = this.#arguments++;
    const dims = along[kind];
    const packed = kind === "rows" ? -1 : dims.length - 1;
    return this.b.access({
      cell: this.kernel.accesses[number]!.dtype === "bool" ? "u8" : "f32",
      memory: { argument: number, alias: number },
      extents: dims.map((d) => extents[d]!),
      strides: dims.map((dim, i) => (i === packed ? one : param({ kind: "stride", access: number, dim }))),
      written,
    });
  }

  /** Declares the next argument, the two words of a key of random numbers, and reads them. */
  randomKey(): Words {
    const number = this.#arguments++;
    const access = this.b.access({
      cell: "i32",
      memory: { argument: number, alias: number },
      extents: [count(2)],
      strides: [one],
      written: false,
    });
    const word = (i: number): Expr =>
      ops.bits(this.b.let("word", splat(this.b.load({ access, at: [count(i)] }), this.lanes)), "u32");
    return [word(0), word(1)];
  }

  /** A number in all lanes. */
  f32(value: number): Expr {
    return constant(typeOf("f32", this.lanes), value);
  }

  /** The head of a task, of `each` tasks a head; `of`: one for each head of keys, or of queries. */
  head(task: Expr, each: Expr, of: "keys" | "queries"): { part: Expr; n: Expr; h: Expr; g: Expr } {
    const { b } = this;
    const part = b.let("part", rem(task, each));
    let left = b.let("left", div(task, each));
    let g = zero;
    if (of === "queries") {
      g = b.let("g", rem(left, group));
      left = b.let("left", div(left, group));
    }
    const h = b.let("h", rem(left, heads));
    const n = b.let("n", within(div(left, heads), batches, "tasks are no more than there are heads"));
    return { part, n, h, g };
  }

  /** Numbers of tasks: of parts of heads. */
  tasks(each: Expr, of: "keys" | "queries"): Expr {
    const all = mul(mul(batches, heads), each);
    return of === "keys" ? all : mul(all, group);
  }

  /** Runs along `length` in vectors, of the last of which so many lanes are live. */
  inVectors(length: Expr, body: (index: Expr, live?: Expr) => void): void {
    this.b.steps(length, [this.lanes], (index) => body(index), body);
  }

  /** A vector of packed elements along the last dimension. */
  packed(access: number, at: readonly Expr[], live?: Expr): Place {
    return { access, at, along: { dim: at.length - 1, packed: true, ...(live && { live }) } };
  }

  /** A vector of packed elements, each times a factor; null: as they are. */
  private scaled(access: number, at: readonly Expr[], live: Expr | undefined, factor: number | null): Expr {
    const value = this.b.load(this.packed(access, at, live), this.lanes);
    return factor === null ? value : mul(value, this.f32(factor));
  }

  /** Copies rows of an operand into rows of a buffer, each times a factor; null: as they are. */
  packRows(
    to: number,
    from: (row: Expr) => readonly Expr[],
    source: number,
    rows: Expr,
    size: Expr,
    factor: number | null,
  ): void {
    const { b } = this;
    b.for(rows, (r) =>
      this.inVectors(size, (e, live) =>
        b.store(this.packed(to, [r, e]), this.scaled(source, [...from(r), e], live, factor)),
      ),
    );
  }

  /** Copies rows of an operand as depths of a right operand's panels. */
  packPanels(
    to: number,
    from: (row: Expr) => readonly Expr[],
    source: number,
    rows: Expr,
    size: Expr,
    factor: number | null,
  ): void {
    const { b } = this;
    const width = this.policy.product.tile.columns;
    b.for(ceilDiv(size, count(width)), (panel) => {
      const c = b.let("c", mul(panel, count(width)));
      const some = b.let("some", min(count(width), sub(size, c)));
      b.for(rows, (r) =>
        this.inVectors(some, (e, live) =>
          b.store(this.packed(to, [panel, r, e]), this.scaled(source, [...from(r), add(c, e)], live, factor)),
        ),
      );
    });
  }

  /** Copies rows of an operand as columns of a right operand's panels: a square of vectors is transposed at a time. */
  packTransposed(
    to: number,
    from: (row: Expr) => readonly Expr[],
    source: number,
    rows: Expr,
    size: Expr,
  ): void {
    const { b, lanes } = this;
    const vectors = count(this.policy.product.tile.columns / lanes);
    b.for(ceilDiv(rows, count(lanes)), (square) => {
      const first = b.let("first", mul(square, count(lanes)));
      const panel = b.let("panel", div(square, vectors));
      const c = b.let("c", mul(rem(square, vectors), count(lanes)));
      const last = b.let("last", sub(rows, one));
      // Columns that there are not are copies of the last: nobody reads their sums.
      const places = Array.from({ length: lanes }, (_, r) => b.let("row", min(add(first, count(r)), last)));
      this.inVectors(size, (e, live) => {
        const lines = places.map((row) =>
          b.let("u", b.load(this.packed(source, [...from(row), e], live), lanes)),
        );
        for (const [d, column] of transposed(b, lines).entries())
          b.store(this.packed(to, [panel, add(e, count(d)), c]), column);
      });
    });
  }

  /**
   * sums (+)= left · right: `rows` by `columns` from the places on, over a depth. Whole tiles are stored.
   */
  product(
    kind: keyof typeof tiles,
    sums: { readonly access: number; readonly row: Expr },
    left: number,
    right: number,
    { rows, columns, depth }: { readonly rows: Expr; readonly columns: Expr; readonly depth: Expr },
  ): void {
    const { b } = this;
    const { tileRows, product } = this.policy;
    const { unit, columns: wide } = product.tile;
    const up = (size: Expr, by: number) => mul(ceilDiv(size, count(by)), count(by));
    const width = count(wide);
    const some = (row: Expr, height: Expr) =>
      b.call(tiles[kind], [
        {
          place: { access: sums.access, at: [add(sums.row, row), zero] },
          sizes: [height, up(columns, unit.columns)],
        },
        { place: { access: left, at: [row, zero] }, sizes: [height, depth] },
        { place: { access: right, at: [zero, zero, zero] }, sizes: [ceilDiv(columns, width), depth, width] },
      ]);
    if (tileRows === null) some(zero, up(rows, unit.rows));
    else b.for(ceilDiv(rows, count(tileRows)), (i) => some(mul(i, count(tileRows)), count(tileRows)));
  }

  /** A number of keys, to be raised by `reach`. */
  noKeys(): Name {
    return this.b.var("end", zero, { least: zero, below: add(keys, one) });
  }

  /** Raises `end` to one more than the last key that takes part with any of some queries, by the mask. */
  reach(end: Name, mask: number, head: readonly Expr[], first: Expr, rows: Expr): void {
    const { b } = this;
    // Of queries that have one mask the first says it.
    const isOne = eq(param({ kind: "stride", access: mask, dim: 3 }), zero);
    const some = b.let("some", min(select(isOne, one, rows), rows));
    b.for(some, (r) => {
      const from = b.var("from", keys, { least: zero, below: add(keys, one) });
      b.while(ops.lt(ref(end), ref(from)), () => {
        const before = b.let("before", sub(ref(from), one));
        const value = b.load({ access: mask, at: [...head, add(first, r), before] });
        const isPart = ne(value, constant(value.type, this.kernel.mask === "bool" ? 0 : -Infinity));
        b.if(isPart, () => b.break());
        b.set(from, before);
      });
      b.set(end, ref(from));
    });
  }

  /** Scores of a query with a vector of keys once what keeps pairs out, or is added, has been looked at. */
  masked(
    scores: Expr,
    mask: number,
    at: { head: readonly Expr[]; row: Expr; key: Expr; live: Expr | undefined },
  ): Expr {
    const { b, lanes } = this;
    const { head, row, key, live } = at;
    const low = this.f32(-Infinity);
    let value = scores;
    if (this.kernel.mask !== "none") {
      const given = b.let("mask", b.load(this.packed(mask, [...head, row, key], live), lanes));
      value =
        this.kernel.mask === "bool"
          ? select(ne(given, constant(given.type, 0)), value, low)
          : add(value, given);
    }
    if (this.kernel.causal) {
      const after = b.let("after", splat(ops.convert(sub(row, key), "i32"), lanes));
      value = select(ops.le(ops.iota(lanes), after), value, low);
    }
    return live === undefined ? value : select(this.isLive(live), b.let("score", value), low);
  }

  /** Which lanes there are. */
  isLive(live: Expr): Expr {
    return ops.lt(ops.iota(this.lanes), splat(ops.convert(live, "i32"), this.lanes));
  }

  /** The number of the first weight of a query among all, as two words. */
  drawn({ n, h, g }: { n: Expr; h: Expr; g: Expr }, row: Expr): Words {
    const { b, lanes } = this;
    const number = add(mul(add(mul(add(mul(n, heads), h), group), g), queries), row);
    const k = (value: number): Expr => constant(typeOf("u32", lanes), value);
    const word = (e: Expr): Expr => b.let("w", ops.bits(splat(ops.convert(e, "i32"), lanes), "u32"));
    const [x, y] = [word(number), word(keys)];
    const halves = (w: Expr) => [b.let("w", ops.and(w, k(0xffff))), b.let("w", ops.shr(w, k(16)))] as const;
    const [x0, x1] = halves(x);
    const [y0, y1] = halves(y);
    const mid = b.let("w", add(mul(x1, y0), ops.shr(mul(x0, y0), k(16))));
    const more = b.let("w", add(mul(x0, y1), ops.and(mid, k(0xffff))));
    const low = b.let("low", mul(x, y));
    const high = add(mul(x1, y1), add(ops.shr(mid, k(16)), ops.shr(more, k(16))));
    return [low, b.let("high", high)];
  }

  /** The numbers of the weights of a query, whose first one has that number, with a vector of keys. */
  #numbers(drawn: Words, key: Expr): Words {
    const { b, lanes } = this;
    const own = ops.bits(add(ops.iota(lanes), splat(ops.convert(key, "i32"), lanes)), "u32");
    return plus(b, drawn, own);
  }

  /** Which of some weights dropout keeps, by their random words. */
  #kept(words: Expr): Expr {
    const { b, lanes } = this;
    const uniform = ops.bits(ops.shr(ops.bits(words, "u32"), constant(typeOf("u32", lanes), 8)), "i32");
    // As many 24ths bits as the probability is rounded to f32: to compare whole numbers says the same.
    const least = Math.ceil(Math.fround(this.kernel.dropout) * 2 ** 24);
    return b.let("keeps", ops.le(constant(typeOf("i32", lanes), least), uniform));
  }

  /**
   * Runs along keys in vectors, with whether dropout keeps their weights with a query, of which the first one has that
   * number: null where all are kept. Random words of two vectors are drawn together. `key0`: the first key's number.
   */
  inKeptVectors(
    length: Expr,
    key0: Expr,
    dropout: { readonly key: Words; readonly drawn: Words } | null,
    body: (index: Expr, keeps: Expr | null, live?: Expr) => void,
  ): void {
    const { b, lanes } = this;
    if (dropout === null) {
      this.inVectors(length, (index, live) => body(index, null, live));
      return;
    }
    const { key, drawn } = dropout;
    const one = (index: Expr, live?: Expr): void =>
      body(index, this.#kept(threefry(b, key, this.#numbers(drawn, add(key0, index)))), live);
    b.steps(
      length,
      [2 * lanes, lanes],
      (index, by) => {
        if (by === lanes) return one(index);
        const words = threefryOfTwo(b, key, this.#numbers(drawn, add(key0, index)));
        for (const [i, own] of words.entries()) body(add(index, count(i * lanes)), this.#kept(own));
      },
      one,
    );
  }

  /** The sum, or the largest, of a vector's lanes, in all lanes. */
  across(value: Expr, of: (a: Expr, b: Expr) => Expr): Expr {
    let all = value;
    for (let n = this.lanes / 2; n >= 1; n /= 2) all = this.b.let("all", of(all, ops.rotate(all, n)));
    return all;
  }
}
