import { settings } from "../base/settings.ts";
import { count, KernelBuilder, ops, ref } from "../lowered/build.ts";
import type { Expr, Lowered } from "../lowered/ir.ts";
import { verify } from "../lowered/verify.ts";
import type { AttentionKernel } from "../plan/kernel.ts";
import { lowerAttentionGradient } from "./attention-gradient.ts";
import { Attention } from "./attention-parts.ts";
import { type AttentionPolicy, forwardBuffers } from "./attention-policy.ts";
import { ceilDiv, zero } from "./contract-parts.ts";
import { ExprLanes } from "./expr-lanes.ts";
import { expNegative, polynomials } from "./polynomials.ts";
import { attentionQueries } from "./tasks.ts";

const { add, atLeast, div, eq, lt, min, mul, select, splat, sub, within } = ops;

/** Attention, or its gradient: see `AttentionKernel`. */
export function lowerAttention(kernel: AttentionKernel, policy: AttentionPolicy): Lowered {
  const lowered =
    kernel.kind === "attention" ? lowerForward(kernel, policy) : lowerAttentionGradient(kernel, policy);
  if (settings.verify) verify(lowered);
  return lowered;
}

/**
 * The forward pass. A task is some queries of a head, which go over the keys a block at a time: scores of a few queries
 * with a block are there at once, each query's largest score and sum of exponentials go along, and what has been added up
 * is scaled when a larger score comes. (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao,
 * "FlashAttention-2", 2023.)
 */
function lowerForward(kernel: AttentionKernel, policy: AttentionPolicy): Lowered {
  const b = new KernelBuilder();
  const a = new Attention(b, kernel, policy);
  const { lanes, keySize, valueSize } = a;
  const [query, key, value] = [a.operand("queries"), a.operand("keys"), a.operand("values")];
  const mask = kernel.mask === "none" ? -1 : a.operand("pairs");
  const randomKey = kernel.dropout > 0 ? a.randomKey() : null;
  const [result, logSums] = [a.operand("results", true), a.operand("rows", true)];
  const own = forwardBuffers(b, policy, keySize);
  const each = ceilDiv(a.queries, count(attentionQueries));
  const low = a.f32(-Infinity);
  const math = new ExprLanes(b, policy.product.registers);
  const exp = (x: Expr): Expr => b.let("exp", expNegative(math, b.let("x", x)));
  /** What largest scores are taken off as: 0 in the place of -Infinity, which would leave NaN. */
  const shiftOf = (most: Expr): Expr => select(eq(most, low), a.f32(0), most);
  b.for(
    a.tasks(each, "queries"),
    (task) => {
      const head = a.head(task, each, "queries");
      const { n, h, g } = head;
      const rowHead = [n, h, g];
      const first = b.let(
        "first",
        within(mul(head.part, count(attentionQueries)), a.queries, "a head has so many parts"),
      );
      const rows = b.let("rows", min(sub(a.queries, first), count(attentionQueries)));
      const end = kernel.causal ? b.let("end", min(a.keys, add(first, rows))) : mask < 0 ? a.keys : endOf();
      /** Keys after the last that any of these queries attends to are not looked at. */
      function endOf(): Expr {
        const found = a.noKeys();
        a.reach(found, mask, rowHead, first, rows);
        return b.let("end", ref(found));
      }
      // Rows that there are not are cleared too: tiles add to whole ones.
      a.inVectors(rows, (r) => {
        b.store(a.packed(own.most, [r]), low);
        b.store(a.packed(own.totals, [r]), a.f32(0));
      });
      b.for(rows, (r) => a.inVectors(valueSize, (c) => b.store(a.packed(own.sums, [r, c]), a.f32(0))));
      b.for(ceilDiv(end, count(policy.keys)), (block) => {
        const key0 = b.let(
          "key0",
          within(mul(block, count(policy.keys)), end, "blocks are no more than keys"),
        );
        const some = b.let("some", min(sub(end, key0), count(policy.keys)));
        const keyAt = (s: Expr) => [n, h, add(key0, s)];
        a.packTransposed(own.keys, keyAt, key, some, keySize);
        a.packPanels(own.values, keyAt, value, some, valueSize, null);
        b.for(ceilDiv(rows, count(policy.rows)), (panel) => {
          const i = b.let("i", mul(panel, count(policy.rows)));
          const height = b.let("height", min(sub(rows, i), count(policy.rows)));
          const after = b.let("after", add(add(first, i), height));
          const body = () => {
            // Keys after the last of these queries have no part.
            const seen = kernel.causal ? b.let("seen", min(some, sub(after, key0))) : some;
            a.packRows(
              own.queries,
              (r) => [...rowHead, add(add(first, i), r)],
              query,
              height,
              keySize,
              kernel.scale,
            );
            a.product("begin", { access: own.scores, row: zero }, own.queries, own.keys, {
              rows: height,
              columns: seen,
              depth: keySize,
            });
            b.for(height, (r) =>
              weigh({
                head: rowHead,
                r,
                i,
                row: b.let("row", add(add(first, i), r)),
                key0,
                some: seen,
                parts: head,
              }),
            );
            a.product("goOn", { access: own.sums, row: i }, own.scores, own.values, {
              rows: height,
              columns: valueSize,
              depth: seen,
            });
          };
          if (kernel.causal) b.if(lt(key0, after), body);
          else body();
        });
      });
      finish(rowHead, first, rows);
    },
    { hint: "task", parallel: "tasks" },
  );
  return b.kernel("attention");

  /** Makes weights of a query's scores with a block of keys, and scales what has been added up before. */
  function weigh(at: {
    head: readonly Expr[];
    parts: { n: Expr; h: Expr; g: Expr };
    r: Expr;
    i: Expr;
    row: Expr;
    key0: Expr;
    some: Expr;
  }): void {
    const { head, r, i, row, key0, some } = at;
    const score = (j: Expr): Expr => b.load(a.packed(own.scores, [r, j]), lanes);
    const before = b.let("before", splat(b.load({ access: own.most, at: [add(i, r)] }), lanes));
    const top = b.var("top", before);
    const isPlain = kernel.mask === "none" && !kernel.causal;
    a.inVectors(some, (j, live) => {
      const s = b.let("s", a.masked(score(j), mask, { head, row, key: add(key0, j), live }));
      if (!isPlain || live !== undefined) b.store(a.packed(own.scores, [r, j]), s);
      b.set(top, atLeast(s, ref(top)));
    });
    const most = b.let("most", a.across(ref(top), atLeast));
    const shift = b.let("shift", shiftOf(most));
    const total = b.var("total", a.f32(0));
    const dropout = randomKey && { key: randomKey, drawn: a.drawn(at.parts, row) };
    a.inKeptVectors(some, key0, dropout, (j, keeps) => {
      const e = exp(sub(score(j), shift));
      b.set(total, add(ref(total), e));
      b.store(a.packed(own.scores, [r, j]), keeps === null ? e : select(keeps, e, a.f32(0)));
    });
    const scale = exp(sub(before, shift));
    const place = { access: own.totals, at: [add(i, r)] };
    const sum = add(mul(splat(b.load(place), lanes), scale), a.across(ref(total), add));
    b.store(place, ops.lane(b.let("sum", sum), 0));
    b.store({ access: own.most, at: [add(i, r)] }, ops.lane(most, 0));
    b.if(lt(zero, key0), () =>
      a.inVectors(valueSize, (c) => {
        const to = a.packed(own.sums, [add(i, r), c]);
        b.store(to, mul(b.load(to, lanes), scale));
      }),
    );
  }

  /** Stores what has been added up over its sum of exponentials, and that sum's logarithm: Infinity where there is none. */
  function finish(head: readonly Expr[], first: Expr, rows: Expr): void {
    const kept = kernel.dropout > 0 && kernel.dropout < 1 ? 1 / (1 - kernel.dropout) : 1;
    b.for(rows, (r) => {
      const total = b.let("total", splat(b.load({ access: own.totals, at: [r] }), lanes));
      const none = eq(total, a.f32(0));
      const factor = b.let("factor", select(none, a.f32(0), div(a.f32(kept), total)));
      a.inVectors(valueSize, (c, live) => {
        const sum = b.load(a.packed(own.sums, [r, c]), lanes);
        b.store(a.packed(result, [...head, add(first, r), c], live), b.let("value", mul(sum, factor)));
      });
    });
    a.inVectors(rows, (r, live) => {
      const total = b.let("total", b.load(a.packed(own.totals, [r]), lanes));
      const most = b.load(a.packed(own.most, [r]), lanes);
      const logarithm = b.let("log", math.keep(polynomials.log(math, total)));
      const value = select(eq(total, a.f32(0)), a.f32(Infinity), add(most, logarithm));
      const at = [...head, add(first, r)];
      const along = { dim: 3, packed: false, ...(live && { live }) };
      b.store({ access: logSums, at, along }, b.let("logSum", value));
    });
  }
}
