import { mostHeadSize } from "../ir/infer-attention.ts";
import { count, KernelBuilder, ops } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";
import { localBytes } from "../lowered/walk.ts";
import type { ProductPolicy } from "./product-policy.ts";
import { attentionQueries } from "./tasks.ts";

/** How a target does attention. */
export interface AttentionPolicy {
  /** The vectors, and the register tile of products. */
  readonly product: ProductPolicy;
  /** Rows that a call of the tile does: one tile's, or as many as there are. */
  readonly tileRows: number | null;
  /** Queries whose scores are there at once: whole tiles. */
  readonly rows: number;
  /** Keys of a block: whole tiles' columns. */
  readonly keys: number;
}

/** The buffers of a kernel's own. */
class AttentionBuffers {
  readonly #b: KernelBuilder;
  readonly #policy: AttentionPolicy;
  readonly #pad: number;

  constructor(b: KernelBuilder, policy: AttentionPolicy) {
    this.#b = b;
    this.#policy = policy;
    this.#pad = Math.max(policy.product.tile.columns, policy.product.registers.lanes);
  }

  #buffer(extents: readonly number[], strides: readonly Expr[], most: readonly number[]): number {
    const size = extents.reduce((sum, e, d) => sum + (e - 1) * most[d]!, 1);
    return this.#b.buffer("f32", size, extents, strides);
  }

  /** Sums of products, or a left operand, in rows: whole tiles may be stored. */
  rows(rows: number, columns: number): number {
    const { unit } = this.#policy.product.tile;
    const step = columns + this.#pad;
    const extents = [rows + unit.rows - 1, step];
    return this.#buffer(extents, [count(step), count(1)], [step, 1]);
  }

  /** A left operand that lies in columns: rows by depths, as `rows` of its transposed. */
  columns(rows: number, columns: number): number {
    const step = columns + this.#pad;
    return this.#buffer([step, rows], [count(1), count(step)], [1, step]);
  }

  /** Panels of a right operand: by a tile's columns, by depths of which there are `depth`, `most` at most, by columns. */
  panels(columns: number, most: number, depth: Expr = count(most)): number {
    const { product } = this.#policy;
    const { lanes } = product.registers;
    const wide = product.tile.columns;
    const width = count(wide);
    return this.#buffer(
      [Math.ceil(columns / wide) + 1, most + lanes, wide + lanes],
      [ops.mul(depth, width), width, count(1)],
      [most * wide, wide, 1],
    );
  }

  /** A number for each of some rows, by vectors. */
  numbers(rows: number): number {
    return this.#b.local("f32", [rows + this.#policy.product.registers.lanes]);
  }
}

/** What attention has in scratch; `sizes`: of keys and of values, as far as the kernel knows them. */
export function forwardBuffers(b: KernelBuilder, policy: AttentionPolicy, size: Expr) {
  const make = new AttentionBuffers(b, policy);
  const { rows, keys } = policy;
  return {
    /** Keys, by sizes: what scores are made with. */
    keys: make.panels(keys, mostHeadSize, size),
    values: make.panels(mostHeadSize, keys),
    queries: make.rows(rows, mostHeadSize),
    scores: make.rows(rows, keys),
    sums: make.rows(attentionQueries, mostHeadSize),
    most: make.numbers(attentionQueries),
    totals: make.numbers(attentionQueries),
  };
}

/** What its gradient has in scratch. */
export function gradientBuffers(b: KernelBuilder, policy: AttentionPolicy, size: Expr, width: Expr) {
  const make = new AttentionBuffers(b, policy);
  const { rows, keys } = policy;
  return {
    keys: make.panels(keys, mostHeadSize, size),
    values: make.panels(keys, mostHeadSize, width),
    plainKeys: make.panels(mostHeadSize, keys),
    queries: make.rows(rows, mostHeadSize),
    gradients: make.rows(rows, mostHeadSize),
    queryPanels: make.panels(mostHeadSize, rows),
    gradientPanels: make.panels(mostHeadSize, rows),
    scores: make.rows(rows, keys),
    ofWeights: make.rows(rows, keys),
    /** Weights, and gradients of scores, keys by queries. */
    weights: make.columns(rows, keys),
    ofScores: make.columns(rows, keys),
    keySums: make.rows(keys, mostHeadSize),
    valueSums: make.rows(keys, mostHeadSize),
    querySums: make.rows(rows, mostHeadSize),
  };
}

/** Bytes of scratch that a thread needs for any attention. */
export function attentionScratch(policy: AttentionPolicy): number {
  const needed = (declare: (b: KernelBuilder) => unknown): number => {
    const b = new KernelBuilder();
    declare(b);
    return b.kernel("").accesses.reduce((sum, access) => sum + localBytes(access), 0);
  };
  const most = count(mostHeadSize);
  return Math.max(
    needed((b) => forwardBuffers(b, policy, most)),
    needed((b) => gradientBuffers(b, policy, most, most)),
  );
}
