import fc from "fast-check";
import { describe, it } from "vitest";
import { backendNames } from "../../src/backends/registry.ts";
import { node } from "../../src/ir/node.ts";
import {
  constant,
  expand,
  input,
  matmul,
  permute,
  put,
  randomPartWrites,
  randomRequest,
  reshape,
  sum,
  take,
} from "../plan/random-graph.ts";
import { agree, sameByThreads } from "./agree.ts";

/** How many random graphs: each has kernels of its own, which a compiler takes its time for. */
const graphs: { readonly [name: string]: number } = { native: 60 };

describe.each(backendNames())("%s", (name) => {
  it("agrees with the evaluator on random graphs", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(randomRequest, (make) => {
        const request = make();
        if (request !== null) agree(name, request);
      }),
      { numRuns: graphs[name] ?? 300 },
    );
  });

  it("agrees with the evaluator on writes of some rows, columns and elements", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(randomPartWrites, (make) => agree(name, make())),
      { numRuns: graphs[name] ?? 200 },
    );
  });

  it.each([
    [1, 5, 7],
    [33, 65, 17],
    [64, 64, 64],
    [145, 289, 30],
    [70, 50, 520],
    [13, 300, 257],
    [2, 130, 100],
    [16, 101, 385],
    [17, 33, 800],
    [30, 15, 64],
    [129, 31, 383],
  ])("multiplies %i × %i × %i, however the operands lie", (m, n, k) => {
    for (const flipLeft of [false, true])
      for (const flipRight of [false, true]) {
        const a = flipLeft ? permute(input([k, m]), [1, 0]) : input([m, k]);
        const b = flipRight ? permute(input([n, k]), [1, 0]) : input([k, n]);
        agree(name, { outputs: [matmul(a, b)], writes: [] }, 1e-4);
      }
  });

  it("multiplies with a prologue, an epilogue and batches over strided views", () => {
    const x = input([3, 40, 2, 30]);
    const y = input([3, 2, 30, 50]);
    const left = permute(x, [0, 2, 1, 3]);
    const product = node("dot", [left, y], {
      leftBatch: [0, 1],
      rightBatch: [0, 1],
      leftContract: [3],
      rightContract: [2],
    });
    const bias = expand(reshape(input([50]), [1, 1, 1, 50]), [3, 2, 40, 50]);
    agree(name, { outputs: [node("relu", [node("add", [product, bias], {})], {})], writes: [] }, 1e-4);
    const scaled = node("mul", [input([60, 40]), constant(0.5, [60, 40])], {});
    agree(name, { outputs: [matmul(scaled, input([40, 70]))], writes: [] }, 1e-4);
    agree(name, { outputs: [matmul(permute(scaled, [1, 0]), input([60, 70]))], writes: [] }, 1e-4);
  });

  it("reads a value in a prologue and again in the epilogue", () => {
    const column = reshape(input([64]), [64, 1]);
    const product = matmul(expand(column, [64, 64]), input([64, 48]));
    agree(name, { outputs: [node("add", [product, expand(column, [64, 48])], {})], writes: [] }, 1e-4);
  });

  it("updates a weight in the kernel of its gradient", () => {
    const w = input([50, 60]);
    const grad = matmul(permute(input([300, 50]), [1, 0]), input([300, 60]));
    agree(
      name,
      {
        outputs: [sum(grad, [0])],
        writes: [
          { target: w, value: node("sub", [w, node("mul", [grad, constant(0.1, [50, 60])], {})], {}) },
        ],
      },
      1e-4,
    );
  });
});

it.each(["native", "wasm"])("%s gives the same bits with two threads as with one", async (name) => {
  const [a, b] = [input([300, 400]), input([400, 500])];
  const product = node("relu", [matmul(a, b)], {});
  const rows = input([7], "i32");
  const replaced = put(product, rows, 0, node("neg", [take(product, rows, 0)], {}));
  const outputs = [product, sum(product, [0]), sum(product, [1]), replaced];
  await sameByThreads(name, outputs);
});
