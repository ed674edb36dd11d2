import { capture, Parameter, tensor } from "thaw/tensor";
import { expect, test } from "vitest";
import { assertClose } from "../../src/testing/index.ts";
import { readFixture } from "../oracle/fixture.ts";
import { optimizers } from "./optimizers.ts";

const { before, start, gradients, values } = readFixture<{
  before: number;
  start: number[];
  gradients: number[][];
  values: Record<string, number[][]>;
}>("late.json.gz");

const bits = (p: Parameter): string => Buffer.from(p.dataSync().buffer).toString("hex");

test.each(Object.entries(optimizers))(
  "%s: a parameter first trained after 8,000 steps of another takes PyTorch's first steps",
  async (name, make) => {
    const [early, late, fresh] = [tensor([0.5, -0.5]), tensor(start), tensor(start)].map(
      (x) => new Parameter(x),
    ) as [Parameter, Parameter, Parameter];
    const [optimizer, other] = [make([early, late]), make([fresh])];
    // The state that the late one has from the start, where there is some, is its own too.
    const untouched = bits(late);
    const stepEarly = capture((sign: number) => {
      early.grad = tensor([0.1 * sign, -0.2 * sign]);
      optimizer.step();
    });
    for (let i = 0; i < before; i++) stepEarly(i % 2 === 0 ? 1 : -1);
    expect(bits(late)).toBe(untouched);
    optimizer.zeroGrad();
    for (const [i, gradient] of gradients.entries()) {
      for (const p of [late, fresh]) p.grad = tensor(gradient);
      optimizer.step();
      other.step();
      expect(bits(late)).toBe(bits(fresh));
      await assertClose(late, tensor(values[name]![i]!), { rtol: 1e-6, atol: 1e-7 });
    }
    expect(optimizer.state.get(late)!.step).toBe(gradients.length);
    expect(optimizer.state.get(early)!.step).toBe(before);
  },
);
