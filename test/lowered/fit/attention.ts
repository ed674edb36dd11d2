import { count, KernelBuilder, ops, ref } from "../../../src/lowered/build.ts";
import type { Expr, Lowered, Name } from "../../../src/lowered/ir.ts";
import { accumulate, argument, blocks, eachThread, extent, f32, loadWhere, type Policy } from "./parts.ts";

const { add, convert, div, inside, library, max, min, mul, rem, sub, within } = ops;

/** Elements of a head, which the kernel knows: a row of sums has a place in local memory. */
export const headSize = 8;

/** Heads, rows of queries, rows of keys; q, k, v of [heads, rows, headSize]; lengths[head] says how many keys there are. */
function operands(b: KernelBuilder) {
  const [heads, queries, keys] = [extent(0), extent(1), extent(2)];
  const size = count(headSize);
  let number = 0;
  const tensor = (extents: readonly Expr[], written = false) => argument(b, number++, extents, written);
  const q = tensor([heads, queries, size]);
  const k = tensor([heads, keys, size]);
  const v = tensor([heads, keys, size]);
  const lengths = argument(b, number++, [heads], false, "i32");
  return { heads, queries, keys, size, tensor, q, k, v, lengths };
}

/** The keys of a head: read from memory, and no more than there are. */
const keysOf = (b: KernelBuilder, lengths: number, head: Expr, keys: Expr): Expr =>
  b.let("length", min(max(convert(b.load({ access: lengths, at: [head] }), "index"), count(0)), keys));

const eachElement = (b: KernelBuilder, body: (d: Expr) => void): void =>
  b.for(count(headSize), body, { hint: "d" });

/** Σ x[d] · y[d]. */
function dot(b: KernelBuilder, x: (d: Expr) => Expr, y: (d: Expr) => Expr): Name {
  const sum = b.var("dot", f32(0));
  eachElement(b, (d) => accumulate(b, sum, mul(x(d), y(d))));
  return sum;
}

const scale = f32(1 / Math.sqrt(headSize));

/** The head of a task, and where its block of rows begins. */
function blockOf(b: KernelBuilder, task: Expr, rows: Expr, block: number): { head: Expr; first: Expr } {
  const across = blocks(rows, block);
  return {
    head: b.let("head", div(task, across)),
    first: b.let("first", mul(rem(task, across), count(block))),
  };
}

/** Fills rows of local memory with those of an operand from `first` on; rows that are not below `limit` become zeros. */
function fill(
  b: KernelBuilder,
  to: number,
  from: number,
  { head, first, limit, block }: { head: Expr; first: Expr; limit: Expr; block: number },
): void {
  b.for(
    count(block),
    (i) => {
      const row = b.let("row", add(first, i));
      eachElement(b, (d) =>
        b.store(
          { access: to, at: [i, d] },
          loadWhere(b, inside(row, limit), { access: from, at: [head, row, d] }),
        ),
      );
    },
    { parallel: "threads" },
  );
}

/**
 * softmax(q · kᵀ / √size) · v, and the logarithm of each row's sum; scores are never stored. A task is a block of query
 * rows, one a thread; keys come through local memory a block at a time, as many as the head has.
 */
export function lowerAttention({ threads, block }: Policy): Lowered {
  const b = new KernelBuilder();
  const { heads, queries, keys, size, tensor, q, k, v, lengths } = operands(b);
  const out = tensor([heads, queries, size], true);
  const logSums = tensor([heads, queries], true);
  const [someKeys, someValues] = [b.local("f32", [block, headSize]), b.local("f32", [block, headSize])];
  const sums = b.local("f32", [threads, headSize]);
  b.for(
    mul(heads, blocks(queries, threads)),
    (task) => {
      const { head, first } = blockOf(b, task, queries, threads);
      const inHead = within(head, heads, "a task is a block of a head");
      const length = keysOf(b, lengths, inHead, keys);
      const [most, total] = [b.var("most", f32(-Infinity)), b.var("total", f32(0))];
      eachThread(b, threads, (t) => eachElement(b, (d) => b.store({ access: sums, at: [t, d] }, f32(0))));
      b.for(blocks(length, block), (keyBlock) => {
        const firstKey = b.let("firstKey", mul(keyBlock, count(block)));
        const some = { head: inHead, first: firstKey, limit: length, block };
        fill(b, someKeys, k, some);
        fill(b, someValues, v, some);
        b.barrier();
        eachThread(b, threads, (t) => {
          const row = b.let("row", add(first, t));
          b.if(inside(row, queries), () =>
            b.for(min(count(block), sub(length, firstKey)), (j) => {
              const key = within(j, count(block), "a block has so many keys");
              const found = dot(
                b,
                (d) => b.load({ access: q, at: [inHead, row, d] }),
                (d) => b.load({ access: someKeys, at: [key, d] }),
              );
              const score = b.let("score", mul(ref(found), scale));
              const above = b.let("above", max(ref(most), score));
              const less = b.let("less", library("exp", [sub(ref(most), above)]));
              const weight = b.let("weight", library("exp", [sub(score, above)]));
              b.set(most, above);
              b.set(total, add(mul(ref(total), less), weight));
              eachElement(b, (d) => {
                const to = { access: sums, at: [t, d] };
                b.store(
                  to,
                  add(mul(b.load(to), less), mul(weight, b.load({ access: someValues, at: [key, d] }))),
                );
              });
            }),
          );
        });
        b.barrier();
      });
      eachThread(b, threads, (t) => {
        const row = b.let("row", add(first, t));
        b.if(inside(row, queries), () => {
          eachElement(b, (d) =>
            b.store(
              { access: out, at: [inHead, row, d] },
              div(b.load({ access: sums, at: [t, d] }), ref(total)),
            ),
          );
          b.store({ access: logSums, at: [inHead, row] }, add(ref(most), library("log", [ref(total)])));
        });
      });
    },
    { hint: "task", parallel: "tasks" },
  );
  return b.kernel("attention", { threads });
}

/** What both passes of the backward read beside q, k and v. */
function gradientOperands(b: KernelBuilder) {
  const all = operands(b);
  const { heads, queries, size, tensor } = all;
  const out = tensor([heads, queries, size]);
  const logSums = tensor([heads, queries]);
  const gradient = tensor([heads, queries, size]);
  return { ...all, out, logSums, gradient };
}

/**
 * Gradients of keys and values, in one order and without atomics: a task is a block of key rows, one a thread, which goes
 * over all blocks of query rows. A weight is computed anew from its row's sum.
 */
export function lowerAttentionKeyGradient({ threads, block }: Policy): Lowered {
  const b = new KernelBuilder();
  const o = gradientOperands(b);
  const { heads, queries, keys, size, tensor } = o;
  const [ofKeys, ofValues] = [tensor([heads, keys, size], true), tensor([heads, keys, size], true)];
  const [someQueries, someGradients] = [b.local("f32", [block, headSize]), b.local("f32", [block, headSize])];
  /** Of each query row: the logarithm of its sum, and Σ gradient · out. */
  const rowValues = b.local("f32", [block, 2]);
  const [keySums, valueSums] = [b.local("f32", [threads, headSize]), b.local("f32", [threads, headSize])];
  b.for(
    mul(heads, blocks(keys, threads)),
    (task) => {
      const { head, first } = blockOf(b, task, keys, threads);
      const inHead = within(head, heads, "a task is a block of a head");
      const length = keysOf(b, o.lengths, inHead, keys);
      for (const sums of [keySums, valueSums])
        eachThread(b, threads, (t) => eachElement(b, (d) => b.store({ access: sums, at: [t, d] }, f32(0))));
      b.for(blocks(queries, block), (queryBlock) => {
        const firstQuery = b.let("firstQuery", mul(queryBlock, count(block)));
        const some = { head: inHead, first: firstQuery, limit: queries, block };
        fill(b, someQueries, o.q, some);
        fill(b, someGradients, o.gradient, some);
        b.for(
          count(block),
          (i) => {
            const row = b.let("row", add(firstQuery, i));
            b.if(inside(row, queries), () => {
              const at = (access: number) => (d: Expr) => b.load({ access, at: [inHead, row, d] });
              const product = dot(b, at(o.gradient), at(o.out));
              b.store(
                { access: rowValues, at: [i, count(0)] },
                b.load({ access: o.logSums, at: [inHead, row] }),
              );
              b.store({ access: rowValues, at: [i, count(1)] }, ref(product));
            });
          },
          { parallel: "threads" },
        );
        b.barrier();
        eachThread(b, threads, (t) => {
          const key = b.let("key", add(first, t));
          b.if(inside(key, length), () =>
            b.for(min(count(block), sub(queries, firstQuery)), (j) => {
              const i = within(j, count(block), "a block has so many queries");
              const ofKey = (access: number) => (d: Expr) =>
                b.load({ access, at: [inHead, within(key, keys, "there are at least as many keys"), d] });
              const ofRow = (access: number) => (d: Expr) => b.load({ access, at: [i, d] });
              const score = mul(ref(dot(b, ofRow(someQueries), ofKey(o.k))), scale);
              const logSum = b.load({ access: rowValues, at: [i, count(0)] });
              const weight = b.let("weight", library("exp", [sub(score, logSum)]));
              const ofWeight = ref(dot(b, ofRow(someGradients), ofKey(o.v)));
              const delta = b.load({ access: rowValues, at: [i, count(1)] });
              const ofScore = b.let("ofScore", mul(mul(weight, sub(ofWeight, delta)), scale));
              eachElement(b, (d) => {
                for (const [sums, factor, from] of [
                  [keySums, ofScore, someQueries],
                  [valueSums, weight, someGradients],
                ] as const) {
                  const to = { access: sums, at: [t, d] };
                  b.store(to, add(b.load(to), mul(factor, ofRow(from)(d))));
                }
              });
            }),
          );
        });
        b.barrier();
      });
      eachThread(b, threads, (t) => {
        const key = b.let("key", add(first, t));
        b.if(inside(key, keys), () =>
          eachElement(b, (d) => {
            b.store({ access: ofKeys, at: [inHead, key, d] }, b.load({ access: keySums, at: [t, d] }));
            b.store({ access: ofValues, at: [inHead, key, d] }, b.load({ access: valueSums, at: [t, d] }));
          }),
        );
      });
    },
    { hint: "task", parallel: "tasks" },
  );
  return b.kernel("attentionKeyGradient", { threads });
}

/** The gradient of queries: as the forward pass goes over keys. */
export function lowerAttentionQueryGradient({ threads, block }: Policy): Lowered {
  const b = new KernelBuilder();
  const o = gradientOperands(b);
  const { heads, queries, keys, size, tensor } = o;
  const ofQueries = tensor([heads, queries, size], true);
  const [someKeys, someValues] = [b.local("f32", [block, headSize]), b.local("f32", [block, headSize])];
  const sums = b.local("f32", [threads, headSize]);
  b.for(
    mul(heads, blocks(queries, threads)),
    (task) => {
      const { head, first } = blockOf(b, task, queries, threads);
      const inHead = within(head, heads, "a task is a block of a head");
      const length = keysOf(b, o.lengths, inHead, keys);
      eachThread(b, threads, (t) => eachElement(b, (d) => b.store({ access: sums, at: [t, d] }, f32(0))));
      b.for(blocks(length, block), (keyBlock) => {
        const firstKey = b.let("firstKey", mul(keyBlock, count(block)));
        const some = { head: inHead, first: firstKey, limit: length, block };
        fill(b, someKeys, o.k, some);
        fill(b, someValues, o.v, some);
        b.barrier();
        eachThread(b, threads, (t) => {
          const row = b.let("row", add(first, t));
          b.if(inside(row, queries), () => {
            const ofRow = (access: number) => (d: Expr) => b.load({ access, at: [inHead, row, d] });
            const delta = b.let("delta", ref(dot(b, ofRow(o.gradient), ofRow(o.out))));
            const logSum = b.let("logSum", b.load({ access: o.logSums, at: [inHead, row] }));
            b.for(min(count(block), sub(length, firstKey)), (j) => {
              const key = within(j, count(block), "a block has so many keys");
              const ofKey = (access: number) => (d: Expr) => b.load({ access, at: [key, d] });
              const score = mul(ref(dot(b, ofRow(o.q), ofKey(someKeys))), scale);
              const weight = b.let("weight", library("exp", [sub(score, logSum)]));
              const ofWeight = ref(dot(b, ofRow(o.gradient), ofKey(someValues)));
              const ofScore = b.let("ofScore", mul(mul(weight, sub(ofWeight, delta)), scale));
              eachElement(b, (d) => {
                const to = { access: sums, at: [t, d] };
                b.store(to, add(b.load(to), mul(ofScore, ofKey(someKeys)(d))));
              });
            });
          });
        });
        b.barrier();
      });
      eachThread(b, threads, (t) => {
        const row = b.let("row", add(first, t));
        b.if(inside(row, queries), () =>
          eachElement(b, (d) =>
            b.store({ access: ofQueries, at: [inHead, row, d] }, b.load({ access: sums, at: [t, d] })),
          ),
        );
      });
    },
    { hint: "task", parallel: "tasks" },
  );
  return b.kernel("attentionQueryGradient", { threads });
}
