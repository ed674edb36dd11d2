import { count, KernelBuilder, ops, ref } from "../lowered/build.ts";
import type { Expr, Lowered } from "../lowered/ir.ts";
import type { AttentionKernel } from "../plan/kernel.ts";
import { Attention } from "./attention-parts.ts";
import { type AttentionPolicy, gradientBuffers } from "./attention-policy.ts";
import { ceilDiv, one, zero } from "./contract-parts.ts";
import { ExprLanes } from "./expr-lanes.ts";
import { expNegative } from "./polynomials.ts";

const { add, div, eq, lt, max, min, mul, select, splat, sub, within } = ops;

/** A few queries of a head, and the keys of a block that they attend to. */
interface Rows {
  readonly parts: { readonly n: Expr; readonly h: Expr; readonly g: Expr };
  readonly first: Expr;
  readonly height: Expr;
  readonly key0: Expr;
  readonly some: Expr;
}

/**
 * Gradients of what is asked for, serially within a head of keys: for each block of keys all queries of all heads that
 * share it, a few at a time. Weights are computed anew from scores and their sums' logarithms. Gradients of keys and values
 * add up in scratch, those of queries in their result, block after block, so that every sum has one order.
 */
export function lowerAttentionGradient(kernel: AttentionKernel, policy: AttentionPolicy): Lowered {
  const b = new KernelBuilder();
  const a = new Attention(b, kernel, policy);
  const { lanes, keySize, valueSize } = a;
  const [query, key, value] = [a.operand("queries"), a.operand("keys"), a.operand("values")];
  const mask = kernel.mask === "none" ? -1 : a.operand("pairs");
  const randomKey = kernel.dropout > 0 ? a.randomKey() : null;
  const [logSums, deltas, gradient] = [a.operand("rows"), a.operand("rows"), a.operand("results")];
  const wanted = (of: AttentionKernel["of"][number]) => kernel.of.includes(of);
  const ofQuery = wanted("query") ? a.operand("queries", true) : -1;
  const ofKey = wanted("key") ? a.operand("keys", true) : -1;
  const ofValue = wanted("value") ? a.operand("values", true) : -1;
  const ofScores = ofQuery >= 0 || ofKey >= 0;
  const own = gradientBuffers(b, policy, keySize, valueSize);
  const math = new ExprLanes(b, policy.product.registers);
  const kept = kernel.dropout > 0 && kernel.dropout < 1 ? 1 / (1 - kernel.dropout) : 1;
  const clear = (access: number, rows: Expr, size: Expr) =>
    b.for(rows, (r) => a.inVectors(size, (c) => b.store(a.packed(access, [r, c]), a.f32(0))));
  b.for(
    a.tasks(count(1), "keys"),
    (task) => {
      const { n, h } = a.head(task, count(1), "keys");
      const found = a.noKeys();
      if (mask >= 0) b.for(a.group, (g) => a.reach(found, mask, [n, h, g], zero, a.queries));
      const end = mask < 0 ? a.keys : b.let("end", ref(found));
      b.for(ceilDiv(a.keys, count(policy.keys)), (block) => {
        const key0 = b.let(
          "key0",
          within(mul(block, count(policy.keys)), a.keys, "blocks are no more than keys"),
        );
        const all = b.let("all", min(sub(a.keys, key0), count(policy.keys)));
        const keyAt = (s: Expr) => [n, h, add(key0, s)];
        if (ofKey >= 0) clear(own.keySums, all, keySize);
        if (ofValue >= 0) clear(own.valueSums, all, valueSize);
        b.if(lt(key0, end), () => {
          const some = b.let("some", min(all, max(sub(end, key0), one)));
          a.packTransposed(own.keys, keyAt, key, some, keySize);
          if (ofScores) a.packTransposed(own.values, keyAt, value, some, valueSize);
          if (ofQuery >= 0) a.packPanels(own.plainKeys, keyAt, key, some, keySize, null);
          // Queries before these keys have no part either.
          const skipped = kernel.causal ? b.let("skipped", div(key0, count(policy.rows))) : zero;
          b.for(a.group, (g) =>
            b.for(
              ceilDiv(a.queries, count(policy.rows)),
              (panel) => {
                const first = b.let("first", mul(panel, count(policy.rows)));
                const height = b.let("height", min(sub(a.queries, first), count(policy.rows)));
                const rows = { parts: { n, h, g }, first, height, key0 };
                if (!kernel.causal) rowsOf({ ...rows, some });
                else
                  b.if(lt(key0, add(first, height)), () =>
                    // Keys after the last of these queries have no part.
                    rowsOf({ ...rows, some: b.let("seen", min(some, sub(add(first, height), key0))) }),
                  );
              },
              { from: skipped },
            ),
          );
        });
        if (ofQuery >= 0 && mask >= 0) b.if(eq(add(key0, end), zero), () => nothing(n, h));
        const store = (to: number, from: number, size: Expr) =>
          b.for(all, (s) =>
            a.inVectors(size, (c, live) =>
              b.store(a.packed(to, [...keyAt(s), c], live), b.load(a.packed(from, [s, c]), lanes)),
            ),
          );
        if (ofKey >= 0) store(ofKey, own.keySums, keySize);
        if (ofValue >= 0) store(ofValue, own.valueSums, valueSize);
      });
    },
    { hint: "task", parallel: "tasks" },
  );
  return b.kernel("attentionGradient");

  /** Without keys the gradient of queries is 0. */
  function nothing(n: Expr, h: Expr): void {
    b.for(a.group, (g) =>
      b.for(a.queries, (l) =>
        a.inVectors(keySize, (c, live) => b.store(a.packed(ofQuery, [n, h, g, l, c], live), a.f32(0))),
      ),
    );
  }

  /** A few queries with a block of keys. */
  function rowsOf({ parts, first, height, key0, some }: Rows): void {
    const head = [parts.n, parts.h, parts.g];
    const rowAt = (r: Expr) => [...head, add(first, r)];
    a.packRows(own.queries, rowAt, query, height, keySize, kernel.scale);
    a.product("begin", { access: own.scores, row: zero }, own.queries, own.keys, {
      rows: height,
      columns: some,
      depth: keySize,
    });
    if (ofScores) {
      a.packRows(own.gradients, rowAt, gradient, height, valueSize, null);
      a.product("begin", { access: own.ofWeights, row: zero }, own.gradients, own.values, {
        rows: height,
        columns: some,
        depth: valueSize,
      });
    }
    b.for(height, (r) => weigh({ parts, first, height, key0, some }, r));
    if (ofValue >= 0) {
      a.packPanels(own.gradientPanels, rowAt, gradient, height, valueSize, null);
      a.product("goOn", { access: own.valueSums, row: zero }, own.weights, own.gradientPanels, {
        rows: some,
        columns: valueSize,
        depth: height,
      });
    }
    if (ofKey >= 0) {
      a.packPanels(own.queryPanels, rowAt, query, height, keySize, kernel.scale);
      a.product("goOn", { access: own.keySums, row: zero }, own.ofScores, own.queryPanels, {
        rows: some,
        columns: keySize,
        depth: height,
      });
    }
    if (ofQuery < 0) return;
    a.product("begin", { access: own.querySums, row: zero }, own.ofWeights, own.plainKeys, {
      rows: height,
      columns: keySize,
      depth: some,
    });
    b.for(height, (r) =>
      a.inVectors(keySize, (c, live) => {
        const to = a.packed(ofQuery, [...rowAt(r), c], live);
        const sum = b.let("sum", mul(b.load(a.packed(own.querySums, [r, c]), lanes), a.f32(kernel.scale)));
        b.if(
          eq(key0, zero),
          () => b.store(to, sum),
          () => b.store(to, b.let("sum", add(b.load(to, lanes), sum))),
        );
      }),
    );
  }

  /** Weights of a query and what their gradients make of its scores', with a block of keys. */
  function weigh({ parts, first, key0, some }: Rows, r: Expr): void {
    const head = [parts.n, parts.h, parts.g];
    const at = b.let("row", add(first, r));
    const number = (access: number): Expr => splat(b.load({ access, at: [...head, at] }), lanes);
    const logSum = b.let("logSum", number(logSums));
    const delta = ofScores ? b.let("delta", number(deltas)) : null;
    const dropout = randomKey && { key: randomKey, drawn: a.drawn(parts, at) };
    a.inKeptVectors(some, key0, dropout, (j, keeps, live) => {
      const score = b.load(a.packed(own.scores, [r, j]), lanes);
      const s = a.masked(score, mask, { head, row: at, key: add(key0, j), live });
      const weight = b.let("weight", expNegative(math, b.let("x", sub(s, logSum))));
      const scaled = kept === 1 ? weight : mul(weight, a.f32(kept));
      const across = { dim: 0, packed: true };
      if (ofValue >= 0) {
        const dropped = b.let("kept", keeps === null ? scaled : select(keeps, scaled, a.f32(0)));
        b.store({ access: own.weights, at: [j, r], along: across }, dropped);
      }
      if (delta === null) return;
      const place = a.packed(own.ofWeights, [r, j]);
      const g = b.load(place, lanes);
      const ofWeight = keeps === null ? g : select(keeps, kept === 1 ? g : mul(g, a.f32(kept)), a.f32(0));
      let slope = b.let("slope", mul(weight, sub(ofWeight, delta)));
      // Where a weight is 0 nothing flows, whatever is there of keys that do not exist.
      slope = b.let("slope", select(eq(weight, a.f32(0)), a.f32(0), slope));
      b.store(place, slope);
      if (ofKey >= 0) b.store({ access: own.ofScores, at: [j, r], along: across }, slope);
    });
  }
}
