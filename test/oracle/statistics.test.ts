import * as nn from "thaw/nn";
import { EMA } from "thaw/optim";
import { capture, fromArray, type Tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { type Fixture, readFixture, valuesOf } from "./fixture.ts";

/** Batch norm over several steps, and averages of weights, against PyTorch. */

type Named = Record<string, Fixture>;

interface BatchNormCase {
  name: string;
  module: keyof typeof kinds;
  features: number;
  options: nn.BatchNormOptions;
  start: Named;
  steps: {
    training: boolean;
    input: Fixture;
    output: Fixture;
    cotangent: Fixture;
    inputGrad: Fixture;
    grads: Named;
    buffers: Named;
  }[];
  printed: string;
}

interface AverageCase {
  decay: number;
  buffers: "average" | "copy";
  start: Named;
  steps: { values: Named; averages: Named }[];
}

const fixtures = readFixture<{ batchNorms: BatchNormCase[]; averages: AverageCase[] }>("statistics.json.gz");

function tensorOf(fixture: Fixture, requiresGrad = false): Tensor {
  const { data, shape, dtype } = valuesOf(fixture);
  return fromArray(data, shape, { dtype, requiresGrad });
}

const tensorsOf = (named: Named): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(named).map(([name, fixture]) => [name, tensorOf(fixture)]));

const kinds = { BatchNorm1d: nn.BatchNorm1d, BatchNorm2d: nn.BatchNorm2d, BatchNorm3d: nn.BatchNorm3d };

describe("batch norm", () => {
  test.each(fixtures.batchNorms.map((c) => [c.name, c] as const))("%s", (_, c) => {
    const layer = new kinds[c.module](c.features, c.options);
    expect(String(layer)).toBe(c.printed);
    layer.loadStateDict(tensorsOf(c.start), { strict: false });
    for (const [i, step] of c.steps.entries()) {
      layer.train(step.training);
      layer.zeroGrad();
      const x = tensorOf(step.input, true);
      const output = layer.forward(x);
      output.backward(tensorOf(step.cotangent));
      expectClose(output, step.output, `step ${i}: output`);
      expectClose(x.grad!, step.inputGrad, `step ${i}: gradient of the input`, 4);
      expect(layer.namedParameters().map(([path]) => path)).toEqual(Object.keys(step.grads));
      for (const [path, p] of layer.namedParameters())
        expectClose(p.grad!, step.grads[path]!, `step ${i}: gradient of ${path}`, 4);
      expect(layer.namedBuffers().map(([path]) => path)).toEqual(Object.keys(step.buffers));
      for (const [path, buffer] of layer.namedBuffers())
        expectClose(buffer, step.buffers[path]!, `step ${i}: ${path}`);
    }
  });

  test.each(fixtures.batchNorms.map((c) => [c.name, c] as const))("%s, captured", (_, c) => {
    const layer = new kinds[c.module](c.features, c.options);
    layer.loadStateDict(tensorsOf(c.start), { strict: false });
    const forward = capture((x: Tensor) => layer.forward(x));
    for (const [i, step] of c.steps.entries()) {
      layer.train(step.training);
      expectClose(forward(tensorOf(step.input)), step.output, `step ${i}: output`);
      for (const [path, buffer] of layer.namedBuffers())
        expectClose(buffer, step.buffers[path]!, `step ${i}: ${path}`);
    }
  });
});

/** Two layers with the paths of the fixture's. */
class Averaged extends nn.Module {
  0 = new nn.Linear(3, 2);
  1 = new nn.BatchNorm1d(2);
}

describe("averages", () => {
  test.each(fixtures.averages.map((c) => [`decay ${c.decay}, buffers: ${c.buffers}`, c] as const))(
    "%s",
    (_, c) => {
      const net = new Averaged();
      net.loadStateDict(tensorsOf(c.start), { strict: false });
      const ema = new EMA(net, { decay: c.decay, buffers: c.buffers });
      for (const [i, step] of c.steps.entries()) {
        net.loadStateDict(tensorsOf(step.values), { strict: false });
        ema.update();
        const { averages } = ema.stateDict();
        for (const [path, fixture] of Object.entries(step.averages))
          expectClose(averages[path]!, fixture, `step ${i}: ${path}`);
      }
    },
  );
});
