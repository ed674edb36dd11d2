import type { Product } from "./contract-plan.ts";

const layouts = [
  ["k", "k"],
  ["k", "n"],
  ["m", "k"],
  ["m", "n"],
  ["none", "none"],
  ["same", "k"],
  ["k", "same"],
] as const;

/** Products with something done to the operands before, or to the sums after. */
export const products: readonly (Product & { title: string })[] = [
  { title: "a batch of one dimension", batch: [7], m: 9, n: 6, k: 10 },
  { title: "batches of three dimensions", batch: [2, 3, 2], m: 5, n: 11, k: 4, left: "m", right: "n" },
  { title: "few rows of a batch", batch: [3], m: 2, n: 37, k: 50, right: "n" },
  { title: "nothing to contract", m: 5, n: 3, k: 0 },
  { title: "bf16 along k", m: 19, n: 10, k: 37, stored: "bf16" },
  { title: "bf16 across k", m: 9, n: 40, k: 37, stored: "bf16", left: "m", right: "n" },
  { title: "integers as operands", m: 9, n: 10, k: 37, stored: "i32", left: "m" },
  { title: "f64 as operands", m: 6, n: 10, k: 11, stored: "f64", right: "n" },
  ...layouts.map(([left, right]): Product & { title: string } => ({
    title: `elementwise chains over operands along ${left} and ${right}`,
    m: 21,
    n: 14,
    k: 29,
    left,
    right,
    prologue: (l, r, body, two) => [
      body.push({ op: "relu", dtype: "f32", args: [l] }) - 1,
      body.push({ op: "mul", dtype: "f32", args: [r, two] }) - 1,
    ],
  })),
  ...[20, 400].flatMap((k) =>
    [false, true].map((transposed): Product & { title: string } => ({
      title: `values per row, column and element, the result ${transposed ? "transposed" : "as it is"}, k ${k}`,
      m: 17,
      n: 35,
      k,
      transposed,
      inPlace: true,
      epilogue: (body, { row, column, full }) => {
        const load = (access: number) => body.push({ op: "load", dtype: "f32", access }) - 1;
        const add = (a: number, b: number) => body.push({ op: "add", dtype: "f32", args: [a, b] }) - 1;
        const sum = add(add(add(0, load(row)), load(column)), load(full));
        return body.push({ op: "relu", dtype: "f32", args: [sum] }) - 1;
      },
    })),
  ),
  ...(["f64", "i32"] as const).map((result): Product & { title: string } => ({
    title: `a result of ${result}`,
    m: 7,
    n: 19,
    k: 6,
    result,
    epilogue: (body) => body.push({ op: "cast", dtype: result, args: [0] }) - 1,
  })),
  { title: "a result of bf16", m: 7, n: 19, k: 6, result: "bf16" },
];
