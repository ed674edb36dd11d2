import { clipGradNorm_, clipGradValue_ } from "thaw/optim";
import { fromArray, Parameter, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError, NonFiniteError } from "../../src/base/errors.ts";
import { commit } from "../../src/engine/realize.ts";
import { type Fixture, readFixture, valuesOf } from "../oracle/fixture.ts";

interface Case {
  op: "clipGradNorm" | "clipGradValue";
  options: { maxNorm: number; normType: number | string; clipValue: number };
  gradients: (Fixture | null)[];
  norm: number | string | null;
  clipped: (Fixture | null)[];
}
const { clipping } = readFixture<{ clipping: Case[] }>("layers.json.gz");

const close = (got: number, expected: number): boolean =>
  Object.is(got, expected) || Math.abs(got - expected) <= 1e-6 + 1e-6 * Math.abs(expected);

const withGradient = (gradient: Fixture | null): Parameter => {
  const { data, shape } = gradient ? valuesOf(gradient) : { data: [0, 0], shape: [2] };
  const p = new Parameter(zeros(shape));
  if (gradient) p.grad = fromArray(data, shape);
  return p;
};

test.each(
  clipping.map((c) => [`${c.op} ${JSON.stringify(c.options)}, ${c.gradients.length} gradients`, c] as const),
)("%s is as PyTorch's", (_, { op, options, gradients, norm, clipped }) => {
  const parameters = gradients.map(withGradient);
  if (op === "clipGradNorm") {
    const total = clipGradNorm_(parameters, options.maxNorm, { normType: Number(options.normType) });
    expect(close(total.itemSync() as number, Number(norm))).toBe(true);
  } else clipGradValue_(parameters, options.clipValue);
  for (const [i, p] of parameters.entries()) {
    const expected = clipped[i]!;
    if (expected === null) expect(p.grad).toBeNull();
    else {
      const { data } = valuesOf(expected);
      const got = p.grad!.dataSync();
      expect(data.filter((x, k) => !close(got[k]!, x))).toEqual([]);
    }
  }
});

describe("clipping", () => {
  test("leaves the frozen out: they neither count nor change", () => {
    const [p, frozen] = [new Parameter(zeros([2])), new Parameter(zeros([2]))];
    p.grad = tensor([3, 4]);
    frozen.grad = tensor([300, 400]);
    frozen.frozen = true;
    expect(clipGradNorm_([p, frozen], 1).itemSync()).toBe(5);
    clipGradValue_([p, frozen], 0.5);
    expect(p.grad.toArraySync()).toEqual([0.5, 0.5]);
    expect(frozen.grad.toArraySync()).toEqual([300, 400]);
  });

  test("stops the step where a norm is not finite and that is asked for", () => {
    const p = new Parameter(zeros([1]));
    p.grad = tensor([Number.NaN]);
    clipGradNorm_(p, 1, { errorIfNonfinite: true });
    expect(() => commit()).toThrow(NonFiniteError);
  });

  test("says what is wrong with its options", () => {
    const p = new Parameter(zeros([1]));
    p.grad = tensor([1]);
    expect(() => clipGradNorm_(p, -1)).toThrow(
      "clipGradNorm_: maxNorm is -1; it must be a number of at least 0",
    );
    expect(() => clipGradNorm_(p, 1, { normType: Number.NaN })).toThrow(ArgumentError);
    expect(() => clipGradValue_(p, Number.NaN)).toThrow("clipValue is NaN");
  });
});

// What torch.nn.utils.clip_grad_norm_ gives for a largest norm of 0.5.
test.each([
  [0, 2, [0.7499996423721313, -0.9999995231628418]],
  [-1, 0.23762378096580505, [3, -4]],
  [-2.5, 0.4608849883079529, [3, -4]],
  [Number.NEGATIVE_INFINITY, 0.5, [2.9999938011169434, -3.9999918937683105]],
  [Number.POSITIVE_INFINITY, 8, [0.1874999701976776, -0.2499999701976776]],
  [0.5, 93.73721313476562, [0.01600218191742897, -0.02133624255657196]],
])("a norm of type %s is PyTorch's", (normType, norm, first) => {
  const parameters = [[3, -4], [0.5, 2, -1], [normType === 0 ? 0 : 8]].map((gradient) => {
    const p = new Parameter(zeros([gradient.length]));
    p.grad = tensor(gradient);
    return p;
  });
  const total = clipGradNorm_(parameters, 0.5, { normType });
  expect(close(total.itemSync() as number, norm)).toBe(true);
  for (const [i, x] of (parameters[0]!.grad!.toArraySync() as number[]).entries())
    expect(close(x, first[i]!)).toBe(true);
});
