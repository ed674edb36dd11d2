import { commit, hostEffect, hostScalar } from "thaw/engine";
import { Buffer, capture, fromArray, noGrad, ones, Parameter, Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { CaptureError, IndexError, StaleTensorError } from "../../src/base/errors.ts";

const one = tensor(1);

describe("capture", () => {
  test("replays with the arguments of each call", () => {
    let runs = 0;
    const f = capture((x: Tensor, y: Tensor) => {
      runs++;
      return { sum: x.add(y), parts: [x.mul(2), y] };
    });
    for (let i = 0; i < 4; i++) {
      const { sum, parts } = f(tensor([i, 1]), tensor([10, 20]));
      expect(sum.toArraySync()).toEqual([i + 10, 21]);
      expect(parts[0]!.toArraySync()).toEqual([2 * i, 2]);
      expect(parts[1]!.toArraySync()).toEqual([10, 20]);
    }
    // At its 2nd and 3rd call it is recorded again.
    expect(runs).toBe(3);
  });

  test("two arguments that were one tensor when recorded may differ later", () => {
    const f = capture((x: Tensor, y: Tensor) => x.sub(y));
    const x = tensor([5, 6]);
    expect(f(x, x).toArraySync()).toEqual([0, 0]);
    expect(f(x, tensor([1, 2])).toArraySync()).toEqual([4, 4]);
  });

  test("finds tensors in arrays and plain objects, and records once for equal structures", () => {
    const captured = capture(({ x, rest }: { x: Tensor; rest: [Tensor, { scale: number }] }) =>
      x.mul(rest[1].scale).add(rest[0]),
    );
    for (const n of [1, 2, 3]) {
      const y = captured({ x: tensor([n, 1]), rest: [tensor([10, 20]), { scale: 2 }] });
      expect([...y.dataSync()]).toEqual([2 * n + 10, 22]);
    }
    expect(captured.variants).toBe(1);
    expect([...captured({ x: tensor([1, 1]), rest: [tensor([0, 0]), { scale: 5 }] }).dataSync()]).toEqual([
      5, 5,
    ]);
    expect(captured.variants).toBe(2);
  });

  test("takes its own output", () => {
    const f = capture((x: Tensor) => x.mul(2).add(1));
    let x = tensor([0, 1]);
    for (let i = 0; i < 5; i++) x = f(x);
    expect(x.toArraySync()).toEqual([31, 63]);
  });

  test("an earlier result stays what it was", () => {
    const f = capture((x: Tensor) => x.mul(2));
    const results = [1, 2, 3].map((v) => f(tensor([v])));
    expect(results.map((r) => r.itemSync())).toEqual([2, 4, 6]);
  });

  test("records anew for other plain arguments, shapes and dtypes", () => {
    const f = capture((x: Tensor, k: number) => x.mul(k));
    expect(f(tensor([1]), 2).itemSync()).toBe(2);
    expect(f(tensor([1]), 3).itemSync()).toBe(3);
    expect(f(tensor([1, 2]), 3).toArraySync()).toEqual([3, 6]);
    expect(f(fromArray([1], [1], { dtype: "f64" }), 3).dtype).toBe("f64");
    expect(f.variants).toBe(4);
    expect(f(tensor([5]), 3).itemSync()).toBe(15);
    expect(f.variants).toBe(4);
  });

  test("records anew when requiresGrad, frozen or the presence of a gradient changes", () => {
    const p = new Parameter(tensor([1]));
    const f = capture(() => p.mul(p.requiresGrad && !p.frozen ? 2 : 3).add(p.grad === null ? 0 : 100));
    const run = () => f().itemSync();
    expect(run()).toBe(2);
    p.frozen = true;
    expect(run()).toBe(3);
    p.frozen = false;
    expect(run()).toBe(2);
    expect(f.variants).toBe(2);
    p.requiresGrad = false;
    expect(run()).toBe(3);
    p.grad = ones([1]);
    expect(run()).toBe(103);
    expect(f.variants).toBe(4);
  });

  test("sees what was assigned between calls", () => {
    const p = new Parameter(tensor([1]));
    const f = capture(() => p.mul(10));
    expect(f().itemSync()).toBe(10);
    p.assign(tensor([2]));
    expect(f().itemSync()).toBe(20);
  });

  test("writes are done at each replay", () => {
    const count = new Buffer(tensor(0));
    const f = capture((by: Tensor) => {
      count.add_(by);
      return count.mul(1);
    });
    expect([1, 2, 3].map((v) => f(tensor(v)).itemSync())).toEqual([1, 3, 6]);
    expect(count.itemSync()).toBe(6);
  });

  test("effects on the host are replayed in order, and scalars computed anew", () => {
    let n = 0;
    const f = capture(() => {
      const before = new Tensor(hostScalar(() => n));
      hostEffect({ apply: () => n++, undo: () => n-- });
      return [before.mul(1), new Tensor(hostScalar(() => n)).mul(1)];
    });
    for (let i = 0; i < 3; i++) expect(f().map((t) => t.itemSync())).toEqual([i, i + 1]);
    expect(n).toBe(3);
  });

  test("a failed check undoes the effects and writes nothing, recorded or replayed", () => {
    const count = new Buffer(tensor(0));
    let n = 0;
    const f = capture((index: Tensor) => {
      hostEffect({ apply: () => n++, undo: () => n-- });
      const picked = tensor([1, 2, 3]).indexSelect(0, index).sum();
      count.add_(picked);
      return picked;
    });
    const at = (i: number) => tensor([i], { dtype: "i32" });
    expect(() => f(at(9))).toThrow(IndexError);
    expect([n, count.itemSync()]).toEqual([0, 0]);
    expect(f(at(1)).itemSync()).toBe(2);
    expect(() => f(at(3))).toThrow(IndexError);
    expect([n, count.itemSync()]).toEqual([1, 2]);
    expect(f(at(2)).itemSync()).toBe(3);
    expect([n, count.itemSync()]).toEqual([2, 5]);
  });

  test("an error in the function leaves everything as it was", () => {
    const count = new Buffer(tensor(0));
    let n = 0;
    let fail = true;
    const f = capture(() => {
      hostEffect({ apply: () => n++, undo: () => n-- });
      count.add_(1);
      if (fail) throw new Error("inside");
      return count.mul(1);
    });
    expect(() => f()).toThrow("inside");
    expect([n, count.itemSync()]).toEqual([0, 0]);
    fail = false;
    expect(f().itemSync()).toBe(1);
    expect(n).toBe(1);
  });
});

describe("inside", () => {
  test("nothing can be read", () => {
    for (const read of [
      (x: Tensor) => x.dataSync(),
      (x: Tensor) => x.itemSync(),
      (x: Tensor) => x.toArraySync(),
    ])
      expect(() => capture((x: Tensor) => read(x.mul(2)))(tensor(1))).toThrow(CaptureError);
    expect(capture((x: Tensor) => String(x.mul(2)))(tensor(1))).toBe("tensor(shape=[], dtype=float32)");
  });

  test("no parameter can be made, and no outer tensor changed", () => {
    expect(() => capture(() => new Parameter(ones([1])))()).toThrow(
      /made inside a captured function; make the module outside/,
    );
    const x = tensor([1]);
    expect(() => capture(() => x.add_(1))()).toThrow(/Make it a Buffer or a Parameter/);
    expect(x.itemSync()).toBe(1);
    expect(capture((y: Tensor) => y.mul(1).add_(1))(x).itemSync()).toBe(2);
  });

  test("captured functions do not nest", () => {
    const inner = capture((x: Tensor) => x.mul(2));
    expect(() => capture((x: Tensor) => inner(x))(one)).toThrow(CaptureError);
  });
});

describe("what leaves", () => {
  test("only what is returned: anything else is an error when used", () => {
    let leaked: Tensor = one;
    const f = capture((x: Tensor) => {
      leaked = x.mul(2);
      return leaked.add(1);
    });
    const result = f(tensor([1, 2]));
    expect(result.toArraySync()).toEqual([3, 5]);
    expect(() => leaked.dataSync()).toThrow(
      new StaleTensorError(
        "A tensor of shape [2] was made inside a captured function and is gone with it. " +
          "Return it from the captured function, or make it outside.",
      ),
    );
    expect(() => leaked.add(1)).toThrow(StaleTensorError);
    expect(leaked.shape).toEqual([2]);
    expect(String(leaked)).toBe("tensor(shape=[2], dtype=float32)");
  });

  test("a tensor that leaked into a later recording is an error too", () => {
    const cache: Tensor[] = [];
    const f = capture((x: Tensor, k: number) => {
      cache[0] ??= x.mul(10);
      return cache[0].add(k);
    });
    f(one, 1);
    expect(() => f(one, 2)).toThrow(StaleTensorError);
  });

  test("constants made inside may be kept", () => {
    let mask: Tensor | null = null;
    const f = capture((x: Tensor) => x.mul((mask ??= tensor([1, 0]))));
    expect(f(tensor([3, 4])).toArraySync()).toEqual([3, 0]);
    expect(mask!.toArraySync()).toEqual([1, 0]);
    expect(f(tensor([5, 6])).toArraySync()).toEqual([5, 0]);
  });

  test("gradients do not, and do not make it record again", () => {
    const p = new Parameter(tensor([3]));
    const f = capture((x: Tensor) => {
      const loss = p.mul(p).mul(x).sum();
      loss.backward();
      noGrad(() => p.assign(p.sub(p.grad!.mul(0.25))));
      return loss;
    });
    expect(f(one).itemSync()).toBe(9);
    expect(p.grad).toBeNull();
    expect(f(one).itemSync()).toBe(2.25);
    expect(f(one).itemSync()).toBe(0.5625);
    expect(f.variants).toBe(1);
    expect(p.itemSync()).toBe(0.375);
  });
});

describe("what comes in from outside", () => {
  test("a pending tensor is computed once, as it was", () => {
    const p = new Parameter(tensor([2]));
    const doubled = p.mul(2);
    const used = doubled.add(1);
    const f = capture((x: Tensor) => doubled.mul(x));
    expect(f(one).itemSync()).toBe(4);
    p.assign(tensor([50]));
    commit();
    expect(f(one).itemSync()).toBe(4);
    expect(used.itemSync()).toBe(5);
  });

  test("a gradient from outside is refused: a replay would find another", () => {
    const p = new Parameter(tensor([2]));
    p.mul(3).sum().backward();
    expect(() => capture(() => p.assign(p.sub(p.grad!)))()).toThrow(CaptureError);
    expect(() => capture(() => p.mul(2).sum().backward())()).toThrow(/zeroGrad\(\) and backward\(\) inside/);
    expect(p.grad!.itemSync()).toBe(3);
  });

  test("backward does not go on through a value from outside", () => {
    const p = new Parameter(tensor([2]));
    const hidden = p.mul(3);
    hidden.dataSync();
    expect(() => capture(() => hidden.mul(2).sum().backward())()).toThrow(
      /reaches a tensor that was made outside/,
    );
  });

  test("a number that has changed is found by the check", () => {
    let k = 2;
    const f = capture((x: Tensor) => x.mul(k), { check: 3 });
    expect(f(one).itemSync()).toBe(2);
    k = 3;
    expect(f(one).itemSync()).toBe(2);
    expect(() => f(one)).toThrow(/A number it closes over has changed/);
  });
});
