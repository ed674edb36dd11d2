import { Parameter, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { everythingOf, optimizers } from "./optimizers.ts";

const gradients: Record<string, (p: Parameter) => void> = {
  null: (p) => {
    p.grad = null;
  },
  zero: (p) => {
    p.grad = tensor([0, 0, 0]);
  },
  stale: () => {},
  NaN: (p) => {
    p.grad = tensor([Number.NaN, 1, Number.NaN]);
  },
  infinite: (p) => {
    p.grad = tensor([Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY]);
  },
};

describe.each(Object.entries(optimizers))("%s", (_, make) => {
  test.each(Object.entries(gradients))(
    "does not move what is frozen by a bit, nor its state: %s gradient",
    (_, give) => {
      const p = new Parameter(tensor([1, -2, 3]));
      const free = new Parameter(tensor([1, -2, 3]));
      const optimizer = make([p, free]);
      for (const q of [p, free]) q.grad = tensor([0.1, 0.2, -0.3]);
      optimizer.step();
      p.frozen = true;
      const before = everythingOf(optimizer, p);
      for (let i = 0; i < 3; i++) {
        give(p);
        free.grad = tensor([0.1, 0.2, -0.3]);
        const moving = everythingOf(optimizer, free);
        optimizer.step();
        expect(everythingOf(optimizer, p)).toEqual(before);
        expect(everythingOf(optimizer, free)).not.toEqual(moving);
      }
    },
  );

  test("makes no state for what was frozen from the start", () => {
    const p = new Parameter(tensor([1, -2, 3]));
    p.frozen = true;
    p.grad = tensor([1, 1, 1]);
    const optimizer = make([p]);
    const before = everythingOf(optimizer, p);
    optimizer.step();
    expect(everythingOf(optimizer, p)).toEqual(before);
  });

  test("skips a null gradient, and goes on from its own step count when it comes back", () => {
    const [p, alone] = [new Parameter(tensor([1, -2, 3])), new Parameter(tensor([1, -2, 3]))];
    const other = new Parameter(tensor([0.5]));
    const [optimizer, same] = [make([p, other]), make([alone])];
    for (const gradient of [[0.1, 0.2, -0.3], null, null, [0.2, -0.1, -0.3]]) {
      p.grad = gradient && tensor(gradient);
      other.grad = tensor([1]);
      optimizer.step();
      if (gradient === null) continue;
      alone.grad = tensor(gradient);
      same.step();
    }
    expect(everythingOf(optimizer, p)).toEqual(everythingOf(same, alone));
    expect(optimizer.state.get(p)!.step).toBe(2);
    expect(optimizer.state.get(other)!.step).toBe(4);
  });
});

test.each(["Adam", "AdamW", "SGD with momentum", "RMSprop", "NAdam"])(
  "%s moves a parameter whose requiresGrad is false when its gradient is zeros, as PyTorch does",
  (name) => {
    const p = new Parameter(tensor([1, -2, 3]));
    const optimizer = optimizers[name]!([p]);
    optimizer.warnOfLeaks = false;
    p.grad = tensor([0.1, 0.2, -0.3]);
    optimizer.step();
    p.requiresGrad = false;
    const before = everythingOf(optimizer, p);
    optimizer.zeroGrad({ setToNone: false });
    optimizer.step();
    expect(everythingOf(optimizer, p)).not.toEqual(before);
    expect(optimizer.state.get(p)!.step).toBe(2);
  },
);
