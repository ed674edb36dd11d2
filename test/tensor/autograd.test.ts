import { commit } from "thaw/engine";
import {
  enableGrad,
  gradient,
  isGradEnabled,
  noGrad,
  ones,
  Parameter,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { DTypeError, GradientError, ShapeError, StaleTensorError } from "../../src/base/errors.ts";

const values = (x: Tensor | null) => x?.toArraySync();

describe("backward", () => {
  test("adds to grad of every leaf", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const w = new Parameter(tensor([3, 4]));
    x.mul(w).sum().backward();
    expect(values(x.grad)).toEqual([3, 4]);
    expect(values(w.grad)).toEqual([1, 2]);
    x.mul(w).sum().backward();
    expect(values(x.grad)).toEqual([6, 8]);
    x.grad = null;
    x.sum().backward();
    expect(values(x.grad)).toEqual([1, 1]);
    expect(values(w.grad)).toEqual([2, 4]);
  });

  test("a gradient that was held stays what it was", () => {
    const x = tensor([1], { requiresGrad: true });
    x.mul(2).backward();
    const first = x.grad!;
    x.mul(3).backward();
    expect(values(first)).toEqual([2]);
    expect(values(x.grad)).toEqual([5]);
  });

  test("from a gradient given, for more than one element", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.mul(x).backward(tensor([1, 10, 100]));
    expect(values(x.grad)).toEqual([2, 40, 600]);
    expect(() => x.mul(2).backward()).toThrow(
      new GradientError(
        "backward: the tensor has shape [3], not one element; reduce it (sum or mean), or pass a gradient of its shape",
      ),
    );
    expect(() => x.mul(2).backward(ones([2]))).toThrow(
      new ShapeError("backward: the gradient has shape [2], the tensor [3]"),
    );
  });

  test("of what depends on nothing trained is an error with a remedy", () => {
    const w = new Parameter(ones([2]), { requiresGrad: false });
    expect(() => w.sum().backward()).toThrow(
      /backward: the tensor of shape \[\] depends on nothing that requires a gradient.*requiresGrad = true/s,
    );
    expect(() => noGrad(() => tensor([1], { requiresGrad: true }).mul(2)).backward()).toThrow(GradientError);
    expect(() => tensor([1], { requiresGrad: true }).detach().backward()).toThrow(GradientError);
  });

  test("reaches through values that have been read since", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const y = x.mul(x);
    const loss = y.sum();
    expect(loss.itemSync()).toBe(5);
    expect(values(y)).toEqual([1, 4]);
    // One way through the read value, one past it; one value read before, one after it was used.
    const total = loss.mul(3).add(x.sum()).add(y.mul(x).sum());
    expect(total.itemSync()).toBe(15 + 3 + 9);
    expect(total.requiresGrad).toBe(true);
    expect(total.isLeaf).toBe(false);
    total.backward();
    // d/dx (3x² + x + x³)
    expect(values(x.grad)).toEqual([6 + 1 + 3, 12 + 1 + 12]);
  });

  test("of a read loss, then of what was made of it, adds up", () => {
    const x = tensor(3, { requiresGrad: true });
    let y: Tensor = x;
    for (let i = 0; i < 5; i++) {
      y = y.mul(x);
      expect(y.itemSync()).toBe(3 ** (i + 2));
    }
    y.backward();
    expect(x.grad!.itemSync()).toBe(6 * 3 ** 5);
  });

  test("of a graph whose parameter a step has overwritten is an error", () => {
    const w = new Parameter(tensor([2]));
    commit();
    const loss = w.mul(w).sum().keep();
    noGrad(() => w.sub_(1));
    commit();
    expect(loss.itemSync()).toBe(4);
    loss.backward();
    expect(() => w.grad!.dataSync()).toThrow(StaleTensorError);
  });

  test("of a value in a storage dtype gives a gradient in it", () => {
    const w = new Parameter(tensor([1, 2], { dtype: "bf16" }));
    w.mul(3).sum().backward();
    expect(w.grad!.dtype).toBe("bf16");
    expect(values(w.grad)).toEqual([3, 3]);
  });
});

describe("grad", () => {
  test("must have the shape of its tensor", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(() => {
      x.grad = ones([3]);
    }).toThrow(new ShapeError("grad: a gradient of shape [3] for a tensor of shape [2]"));
    const w = new Parameter(ones([2]));
    w.label = "fc.weight";
    expect(() => {
      w.grad = ones([1, 2]);
    }).toThrow(new ShapeError("grad: a gradient of shape [1, 2] for fc.weight of shape [2]"));
  });

  test("survives the step that consumes it", () => {
    const w = new Parameter(tensor([1, 2]));
    w.mul(w).sum().backward();
    const g = w.grad!;
    noGrad(() => w.sub_(g));
    commit();
    expect(values(g)).toEqual([2, 4]);
    expect(values(w)).toEqual([-1, -2]);
  });
});

describe("higher derivatives", () => {
  test("of x³", () => {
    const x = tensor(2, { requiresGrad: true });
    const [first] = gradient(x.pow(3), [x], { createGraph: true });
    expect(first!.itemSync()).toBe(12);
    const [second] = gradient(first!, [x], { createGraph: true });
    expect(second!.itemSync()).toBe(12);
    const [third] = gradient(second!, [x]);
    expect(third!.itemSync()).toBe(6);
    expect(third!.requiresGrad).toBe(false);
    expect(x.grad).toBeNull();
  });

  test("backward through a gradient kept by backward", () => {
    const x = tensor(2, { requiresGrad: true });
    x.pow(3).backward(undefined, { createGraph: true });
    const g = x.grad!;
    x.grad = null;
    g.mul(g).backward();
    // d/dx (3x²)² = 36x³
    expect(x.grad!.itemSync()).toBe(288);
  });
});

describe("gradient", () => {
  test("leaves grad alone, and gives null where nothing depends", () => {
    const [x, y, z] = [
      tensor(2, { requiresGrad: true }),
      new Parameter(tensor(3)),
      tensor(1, { requiresGrad: true }),
    ];
    const found = gradient(x.mul(y), [x, y, z]);
    expect(found.map((g) => g?.itemSync())).toEqual([3, 2, undefined]);
    expect([x.grad, y.grad, z.grad]).toEqual([null, null, null]);
  });

  test("takes leaves only", () => {
    const x = tensor(2, { requiresGrad: true });
    expect(() => gradient(x.mul(2), [x.mul(1)])).toThrow(GradientError);
    expect(() => gradient(x.mul(2), [tensor(1)])).toThrow(/must be a leaf with requiresGrad = true/);
  });
});

describe("requiresGrad", () => {
  test("is for leaves in floating point", () => {
    const x = zeros([2]);
    x.requiresGrad = true;
    expect(x.mul(2).requiresGrad).toBe(true);
    x.requiresGrad = false;
    expect(x.mul(2).requiresGrad).toBe(false);
    x.requiresGrad_();
    expect(() => x.mul(2).requiresGrad_(false)).toThrow(/only leaves can be set.*detach\(\)/s);
    expect(() => ones([2], { dtype: "i32", requiresGrad: true })).toThrow(DTypeError);
    expect(() => new Parameter(ones([2], { dtype: "i32" }))).toThrow(DTypeError);
    expect(new Parameter(ones([2], { dtype: "i32" }), { requiresGrad: false }).dtype).toBe("i32");
  });

  test("of a pending leaf stays when it is computed", () => {
    const x = randn([3], { requiresGrad: true });
    const y = x.mul(2).sum();
    x.dataSync();
    y.add(x.sum()).backward();
    expect(values(x.grad)).toEqual([3, 3, 3]);
    expect(x.isLeaf).toBe(true);
  });

  test("in place on such a leaf needs noGrad", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(() => x.add_(1)).toThrow(
      new GradientError(
        "add_: in place on a leaf that requires a gradient; do it inside noGrad(), or on a tensor made from it",
      ),
    );
    noGrad(() => x.add_(1));
    expect(x.requiresGrad).toBe(true);
    x.mul(2).sum().backward();
    expect(values(x.grad)).toEqual([2, 2]);
    expect(values(x)).toEqual([2, 3]);
  });
});

describe("noGrad", () => {
  test("nests, returns, and survives an error", () => {
    expect(isGradEnabled()).toBe(true);
    const x = tensor(1, { requiresGrad: true });
    const [inside, again] = noGrad(() => [x.mul(2), enableGrad(() => x.mul(2))]);
    expect([inside!.requiresGrad, again!.requiresGrad]).toEqual([false, true]);
    expect(() =>
      noGrad(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(isGradEnabled()).toBe(true);
  });
});

describe("Parameter", () => {
  test("frozen between forward and backward gets no gradient", () => {
    const [a, b] = [new Parameter(tensor(2)), new Parameter(tensor(3))];
    const loss = a.mul(b);
    a.frozen = true;
    loss.backward();
    expect(a.grad).toBeNull();
    expect(b.grad!.itemSync()).toBe(2);
  });

  test("frozen, or without requiresGrad, it is a constant", () => {
    const p = new Parameter(tensor(2));
    p.frozen = true;
    expect(p.mul(2).requiresGrad).toBe(false);
    p.frozen = false;
    p.requiresGrad = false;
    expect(p.mul(2).requiresGrad).toBe(false);
    p.requiresGrad = true;
    expect(p.mul(2).requiresGrad).toBe(true);
  });

  test("a frozen parameter's gradient is left as it was", () => {
    const p = new Parameter(tensor(2));
    p.mul(3).backward();
    const before = p.grad;
    p.frozen = true;
    p.mul(3)
      .add(tensor(1, { requiresGrad: true }))
      .backward();
    expect(p.grad).toBe(before);
  });

  test("assign checks what it is given", () => {
    const p = new Parameter(tensor([1, 2]));
    p.label = "fc.bias";
    expect(() => p.assign(ones([3]))).toThrow(
      new ShapeError("assign: a value of shape [3] for fc.bias of shape [2]"),
    );
    expect(() => p.assign(ones([2], { dtype: "f64" }))).toThrow(
      new DTypeError("assign: a value of f64 for fc.bias of f32; cast it first"),
    );
    expect(() => p.add_(1)).toThrow(GradientError);
    noGrad(() => p.add_(1));
    expect(values(p)).toEqual([2, 3]);
  });

  test("has its own copy of what it was made of", () => {
    const x = tensor([1, 2]);
    const [p, q] = [new Parameter(x), new Parameter(x)];
    noGrad(() => p.mul_(5));
    commit();
    expect([values(p), values(q), values(x)]).toEqual([
      [5, 10],
      [1, 2],
      [1, 2],
    ]);
  });
});
