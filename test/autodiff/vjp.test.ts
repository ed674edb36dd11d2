import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { vjpRules } from "../../src/autodiff/vjp.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { attentionResults } from "../../src/ir/attention.ts";
import { latestId, type Node, node, withGrad } from "../../src/ir/node.ts";
import type { CustomCall, Op } from "../../src/ir/op.ts";
import { twin } from "../ir/twin.ts";
import { allElementsOf, dataOf, elementsOf, filled, input, variable } from "../ir/values.ts";

/** A function of variables to differentiate: its variables (f64), and the function itself. */
interface Case {
  readonly at: readonly Node<"variable">[];
  readonly f: (...x: Node[]) => Node;
}

/** Numbers that are no kink of anything, all different. */
const generic = (count: number, from = 0.3): number[] =>
  Array.from({ length: count }, (_, i) => from + Math.sin(i * 2.3 + from) + i * 0.013);
const positive = (count: number): number[] => generic(count).map((x) => Math.abs(x) + 0.2);

const one = (op: Op, values = generic(6), attrs = {}): Case => ({
  at: [variable(values, [2, 3])],
  f: (x) => node(op, [x], attrs as never),
});
const two = (op: Op, a = generic(6), b = generic(6, 1.1)): Case => ({
  at: [variable(a, [2, 3]), variable(b, [2, 3])],
  f: (x, y) => node(op, [x, y], {} as never),
});
const matrix = (attrs: object, op: Op, shape = [2, 3], values = generic(sizeOf(shape))): Case => ({
  at: [variable(values, shape)],
  f: (x) => node(op, [x], attrs as never),
});
const dot = (
  left: readonly number[],
  right: readonly number[],
  leftBatch: number[],
  rightBatch: number[],
  leftContract: number[],
  rightContract: number[],
): Case => ({
  at: [variable(generic(sizeOf(left)), left), variable(generic(sizeOf(right), 0.7), right)],
  f: (x, y) => node("dot", [x, y], { leftBatch, rightBatch, leftContract, rightContract }),
});
const indices = input([2, 0, 1, 1, 2, 2], [3, 2], "i32");

/** Some of the results x² · y and x + y of one call, added up. */
function squareTimesAndSum(used: readonly number[], x: Node, y: Node): Node {
  const mul = (a: Node, b: Node): Node => node("mul", [a, b], {});
  const add = (a: Node, b: Node): Node => node("add", [a, b], {});
  const call: CustomCall = {
    gradients([of = null, plus = null], wanted) {
      expect(wanted).toEqual([true, true]);
      const g = of ?? filled(0, x.shape);
      const h = plus ?? filled(0, x.shape);
      const twice = mul(filled(2, x.shape), mul(x, y));
      return [add(mul(g, twice), h), add(mul(g, mul(x, x)), h)];
    },
  };
  const hub = node("custom", [x, y], { call });
  const values = withGrad(false, () => [mul(mul(x, x), y), add(x, y)]);
  return used
    .map((index): Node => node("customResult", [values[index]!, hub], { index }))
    .reduce((a, b) => add(a, b));
}

/** No gradient flows through these: leaves, and operations with integer or bool results. */
const none = "none";

/** Every primitive: a missing one does not compile. */
const cases: { readonly [K in Op]: typeof none | readonly Case[] } = {
  input: none,
  constant: none,
  hostScalar: none,
  iota: none,
  variable: [{ at: [variable(generic(3))], f: (x) => node("exp", [x], {}) }],
  detach: none,
  // √(x · y), whose slopes are stated in terms of the value, and are differentiable.
  stated: [
    {
      at: [variable(positive(3)), variable(positive(3).reverse())],
      f: (x, y) => {
        const slope = (other: Node) => (g: Node, n: Node) =>
          node("div", [node("mul", [g, other], {}), node("add", [n, n], {})], {});
        const value = node("sqrt", [node("detach", [node("mul", [x!, y!], {})], {})], {});
        return node("stated", [value, x!, y!], { rules: [slope(y!), slope(x!)] });
      },
    },
  ],
  // sin(x · y) · x, whose values gradients see as copies.
  recomputed: [
    {
      at: [variable(generic(3)), variable(generic(3, 0.9))],
      f: (x, y) => {
        const first = latestId();
        const value = node("mul", [node("sin", [node("mul", [x!, y!], {})], {}), x!], {});
        return node("recomputed", [value], { block: { first, last: latestId() } });
      },
    },
  ],
  // x² · y and x + y, with gradients of their own.
  custom: [
    { at: [variable(generic(3)), variable(generic(3, 0.9))], f: (x, y) => squareTimesAndSum([0, 1], x!, y!) },
  ],
  customResult: [
    { at: [variable(generic(3)), variable(generic(3, 0.9))], f: (x, y) => squareTimesAndSum([0], x!, y!) },
    { at: [variable(generic(3)), variable(generic(3, 0.9))], f: (x, y) => squareTimesAndSum([1], x!, y!) },
  ],
  neg: [one("neg")],
  abs: [one("abs")],
  sign: [one("sign")],
  floor: [one("floor")],
  ceil: [one("ceil")],
  round: [one("round")],
  sqrt: [one("sqrt", positive(6))],
  exp: [one("exp")],
  log: [one("log", positive(6))],
  expm1: [one("expm1")],
  log1p: [one("log1p", positive(6))],
  sin: [one("sin")],
  cos: [one("cos")],
  tanh: [one("tanh")],
  sigmoid: [one("sigmoid")],
  erf: [one("erf")],
  erfc: [one("erfc")],
  relu: [one("relu")],
  not: none,
  cast: [one("cast", generic(6), { dtype: "f64" })],
  add: [two("add")],
  sub: [two("sub")],
  mul: [two("mul")],
  div: [two("div", generic(6), positive(6))],
  pow: [
    two("pow", positive(6)),
    // A negative base has a slope in the base at whole exponents, none (NaN) in the exponent.
    { at: [variable([-1.5, -0.7, 2, 0.4])], f: (x) => node("pow", [x, input([3, 2, -1, 0])], {}) },
  ],
  max: [two("max")],
  min: [two("min")],
  remainder: [two("remainder", [5.3, -5.3, 5.3, -5.3, 0.2, 7.7], [2.1, 2.1, -2.1, -2.1, 1.3, 0.9])],
  eq: none,
  lt: none,
  le: none,
  and: none,
  or: none,
  xor: none,
  shl: none,
  shr: none,
  where: [
    {
      at: [variable(generic(4)), variable(generic(4, 2))],
      f: (x, y) => node("where", [input([1, 0, 0, 1], [4], "bool"), x, y], {}),
    },
  ],
  fma: [
    {
      at: [variable(generic(4)), variable(generic(4, 2)), variable(generic(4, 1))],
      f: (a, b, c) => node("fma", [a, b, c], {}),
    },
  ],
  sum: [
    matrix({ axes: [0] }, "sum"),
    matrix({ axes: [0, 2] }, "sum", [2, 3, 2]),
    matrix({ axes: [] }, "sum"),
  ],
  maxReduce: [matrix({ axes: [1] }, "maxReduce"), matrix({ axes: [0, 2] }, "maxReduce", [2, 3, 2])],
  minReduce: [matrix({ axes: [0] }, "minReduce"), matrix({ axes: [0, 1] }, "minReduce")],
  prod: [
    matrix({ axes: [1] }, "prod", [2, 5]),
    matrix({ axes: [0, 2] }, "prod", [2, 2, 2]),
    matrix({ axes: [1] }, "prod", [3, 3], [0, 2, 3, 0, 0, 4, 5, 6, 0]),
    matrix({ axes: [0] }, "prod", [1, 2]),
  ],
  argmax: none,
  reshape: [matrix({ shape: [3, 2] }, "reshape")],
  permute: [matrix({ axes: [2, 0, 1] }, "permute", [2, 3, 2])],
  expand: [matrix({ shape: [4, 3, 2] }, "expand", [1, 3, 1])],
  slice: [
    matrix({ start: [1, 0], size: [2, 3], step: [1, 1] }, "slice", [4, 3]),
    matrix({ start: [0, 1], size: [2, 3], step: [2, 3] }, "slice", [4, 9]),
    matrix({ start: [3, 6], size: [2, 3], step: [-2, -3] }, "slice", [4, 8]),
    matrix({ start: [2, 4], size: [1, 2], step: [-1, -1] }, "slice", [4, 5]),
    matrix({ start: [1, 0], size: [1, 0], step: [1, 1] }, "slice"),
  ],
  pad: [matrix({ low: [1, 0], high: [0, 2], value: 3 }, "pad")],
  barrier: [matrix({ phase: 1 }, "barrier")],
  concat: [
    {
      at: [variable(generic(4), [2, 2]), variable(generic(2, 3), [2, 1]), variable(generic(4, 2), [2, 2])],
      f: (...x) => node("concat", x, { axis: 1 }),
    },
  ],
  dot: [
    dot([2, 3], [3, 4], [], [], [1], [0]),
    dot([2, 3], [4, 3], [], [], [1], [1]),
    dot([3, 2], [3, 4], [], [], [0], [0]),
    dot([2, 2, 3], [2, 3, 2], [0], [0], [2], [1]),
    dot([2, 3, 2], [3, 2, 2], [1], [0], [0], [2]),
    dot([2, 3, 4], [4, 2, 3], [], [], [1, 2], [2, 0]),
    dot([2, 3, 2], [2, 2, 3, 2], [2], [3], [1, 0], [2, 1]),
    dot([3], [3], [], [], [0], [0]),
    dot([2], [3], [], [], [], []),
  ],
  gather: [{ at: [variable(generic(8), [4, 2])], f: (x) => node("gather", [x, indices], { axis: 0 }) }],
  scatterAdd: [
    {
      at: [variable(generic(8), [4, 2]), variable(generic(6, 2), [3, 2])],
      f: (x, u) => node("scatterAdd", [x, indices, u], { axis: 0 }),
    },
  ],
  scatter: [
    {
      at: [variable(generic(8), [4, 2]), variable(generic(4, 2), [2, 2])],
      f: (x, u) => node("scatter", [x, input([2, 0, 1, 1], [2, 2], "i32"), u], { axis: 0 }),
    },
  ],
  argsort: none,
  cumsum: [matrix({ axis: 0 }, "cumsum"), matrix({ axis: 1 }, "cumsum", [2, 4])],
  // Where gradients have gradients they come from plain operations; those of its kernel: test/nn.
  attention: [
    {
      at: [
        variable(generic(12), [1, 2, 1, 3, 2]),
        variable(generic(8, 0.7), [1, 2, 2, 2]),
        variable(generic(12, 1.1), [1, 2, 2, 3]),
      ],
      // The logarithms of sums beside the result are for its own gradient, and carry none.
      f: (q, k, v) => {
        const attrs = { causal: true, masked: false, scale: 0.7, dropout: 0, byHead: false };
        return attentionResults(node("attention", [q!, k!, v!], attrs), q!, v!, attrs).result;
      },
    },
  ],
  attentionGradient: none,
  allReduce: [
    {
      at: [variable(generic(6), [2, 3]), variable(generic(2, 0.9))],
      f: (x, y) => node("allReduce", [x!, y!], { by: twin, turn: 0 }),
    },
  ],
  exchange: none,
  received: none,
  randomBits: none,
};

/** Σ weights · x, with weights that tell every element apart. */
function weigh(x: Node, salt: number): Node {
  const weights = input(generic(sizeOf(x.shape), salt), x.shape);
  return node("sum", [node("mul", [x, weights], {})], { axes: x.shape.map((_, i) => i) });
}

const gradients = (loss: Node, at: readonly Node<"variable">[]): Node[] => {
  const byOwner = backward(loss, filled(1, []));
  return at.map((x) => byOwner.get(x.attrs.owner) ?? filled(0, x.shape));
};

/** Central differences of a scalar in every element of `x`. */
function differences(loss: Node, x: Node, h = 1e-5): number[] {
  const data = dataOf(x);
  return Array.from(data, (value, i) => {
    data[i] = value + h;
    const [above] = elementsOf(loss);
    data[i] = value - h;
    const [below] = elementsOf(loss);
    data[i] = value;
    return (above! - below!) / (2 * h);
  });
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((x, i) => {
    expect(Math.abs(x - expected[i]!), `element ${i}: ${x} and ${expected[i]}`).toBeLessThanOrEqual(
      2e-6 * (1 + Math.abs(expected[i]!)),
    );
  });
}

describe.each(Object.keys(cases) as Op[])("%s", (op) => {
  const list = cases[op];
  if (list === none) {
    test("passes no gradient", () => {
      expect(vjpRules[op].every((rule) => rule === null)).toBe(true);
    });
    return;
  }

  test.each(list.map((c, i) => [i, c] as const))(
    "case %i: first derivatives are finite differences",
    (_, { at, f }) => {
      const loss = weigh(f(...at), 0.9);
      const grads = gradients(loss, at);
      at.forEach((x, i) => {
        expect(grads[i]!.shape).toEqual(x.shape);
        expectClose(elementsOf(grads[i]!), differences(loss, x));
      });
    },
  );

  test.each(list.map((c, i) => [i, c] as const))(
    "case %i: second derivatives are finite differences of the first",
    (_, { at, f }) => {
      // Squaring the result makes the second derivative of linear operations something else than zero.
      const y = f(...at);
      const loss = weigh(node("mul", [y, y], {}), 0.9);
      const first = gradients(loss, at);
      const combined = first.map((g, i) => weigh(g, 0.4 + i)).reduce((a, b) => node("add", [a, b], {}));
      const second = gradients(combined, at);
      at.forEach((x, i) => {
        expectClose(elementsOf(second[i]!), differences(combined, x));
      });
    },
  );
});

/** Gradient of Σ f at a point, elementwise. */
function slopes(f: (...x: Node[]) => Node, ...at: number[][]): number[][] {
  const x = at.map((values) => variable(values));
  const y = f(...x);
  return allElementsOf(gradients(node("sum", [y], { axes: [0] }), x));
}
const apply =
  (op: Op) =>
  (...x: Node[]) =>
    node(op, x, {} as never);

describe("at kinks, as PyTorch", () => {
  test("relu, abs and sign are flat at 0", () => {
    expect(slopes(apply("relu"), [0, -1, 2])).toEqual([[0, 0, 1]]);
    expect(slopes(apply("abs"), [0, -1, 2])).toEqual([[0, -1, 1]]);
    expect(slopes(apply("sign"), [0, -1, 2])).toEqual([[0, 0, 0]]);
  });

  test("relu passes the gradient of NaN", () => {
    expect(slopes(apply("relu"), [Number.NaN])).toEqual([[1]]);
  });

  test("max and min split ties", () => {
    expect(slopes(apply("max"), [1, 2, 3], [1, 3, 2])).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    expect(slopes(apply("min"), [1, 2, 3], [1, 3, 2])).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
  });

  test("maxReduce and minReduce share among equal extrema", () => {
    const reduce = (op: "maxReduce" | "minReduce") => (x: Node) =>
      node("expand", [node("reshape", [node(op, [x], { axes: [0] })], { shape: [1] })], { shape: [4] });
    expect(slopes(reduce("maxReduce"), [3, 1, 3, 2])).toEqual([[2, 0, 2, 0]]);
    expect(slopes(reduce("minReduce"), [1, 1, 3, 1])).toEqual([[4 / 3, 4 / 3, 0, 4 / 3]]);
  });

  test("pow at base 0, and at exponent 0", () => {
    const [base, exponent] = slopes(apply("pow"), [0, 0, 0, 5], [0, 2, 1, 0]);
    expect(base).toEqual([0, 0, 1, 0]);
    expect(exponent).toEqual([0, 0, 0, Math.log(5)]);
  });

  test("pow of a negative base has no slope in the exponent", () => {
    const [base, exponent] = slopes(apply("pow"), [-2], [3]);
    expect(base).toEqual([12]);
    expect(exponent).toEqual([Number.NaN]);
  });

  test("sqrt is infinitely steep at 0", () => {
    expect(slopes(apply("sqrt"), [0, 4])).toEqual([[Number.POSITIVE_INFINITY, 0.25]]);
  });

  test("where keeps the branch that was not taken out, NaN and all", () => {
    const f = (x: Node) =>
      node("where", [node("lt", [filled(0, x.shape), x], {}), node("log", [x], {}), filled(0, x.shape)], {});
    expect(slopes(f, [2, 4])).toEqual([[0.5, 0.25]]);
  });

  test("prod with one zero and with two", () => {
    const f = (x: Node) => node("reshape", [node("prod", [x], { axes: [0] })], { shape: [1] });
    expect(slopes(f, [2, 0, 3])).toEqual([[0, 6, 0]]);
    expect(slopes(f, [0, 0, 3])).toEqual([[0, 0, 0]]);
  });
});
