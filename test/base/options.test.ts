import {
  ArgumentError,
  CheckpointFolder,
  capture,
  data,
  freeze,
  functionalCall,
  nn,
  ones,
  optim,
  StateDictError,
  type Tensor,
  trainStep,
} from "thaw";
import { describe, expect, test } from "vitest";

const layer = new nn.Linear(2, 1);
const optimizer = new optim.SGD(layer, { lr: 0.1 });
const loss = (x: Tensor) => layer.forward(x).sum();
const rows = new data.TensorDataset(ones([4, 2]));
/** What a program in JavaScript may write. */
const wrong = (options: object): never => options as never;

describe("an option that there is not", () => {
  const calls: Record<string, () => unknown> = {
    trainStep: () => trainStep(optimizer, wrong({ loss, trains: ["**"], acumulate: 4 })),
    capture: () => capture((x: Tensor) => x, wrong({ chek: 1 })),
    DataLoader: () => new data.DataLoader(rows, wrong({ batchsize: 2 })),
    mix: () => data.mix({ a: [1] }, wrong({ ratio: { a: 1 } })),
    randomSplit: () => data.randomSplit(rows, [2, 2], wrong({ sed: 1 })),
    padSequence: () => data.padSequence([ones([1])], wrong({ batchfirst: true })),
    padToMultiple: () => data.padToMultiple(ones([3]), 2, wrong({ side: "left" })),
    clipGradNorm_: () => optim.clipGradNorm_(layer.parameters(), 1, wrong({ normtype: 1 })),
    loadStateDict: () => layer.loadStateDict(layer.stateDict(), wrong({ strct: false })),
    CheckpointFolder: () => new CheckpointFolder("checkpoints", wrong({ kep: 3 })),
    "The state policy": () => optimizer.setStatePolicy(layer, wrong({ stat: "reset" })),
  };
  test.each(Object.entries(calls))("is refused by %s, which names those that there are", (name, call) => {
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(new RegExp(`^${name}: there is no option \\w+; there are .*\\(given: \\w+: `));
  });
});

test.each([
  { check: -1 },
  { check: 1.5 },
  { check: "a" },
  { check: Number.NaN },
  { verify: "no" },
  { finite: 1 },
  { keepGrads: "no" },
  { report: "x" },
  { ema: {} },
  { ema: null },
  { state: { "**": null } },
  { state: { "**": { state: 3 } } },
])("a step refuses %o where it is made", (option) => {
  expect(() => trainStep(optimizer, wrong({ loss, trains: ["**"], ...option }))).toThrow(ArgumentError);
});

test.each([{ seed: Number.NaN }, { seed: 0.5 }, { shuffle: "yes" }, { dropLast: 1 }])(
  "a loader refuses %o",
  (option) => {
    expect(() => new data.DataLoader(rows, wrong(option))).toThrow(ArgumentError);
  },
);

test("rates that are several numbers are set as a whole, so that none passes by its check", () => {
  const betas: [number, number] = [0.9, 0.99];
  const adam = new optim.Adam(layer, { betas });
  betas[0] = 5;
  const [group] = adam.paramGroups;
  expect(() => {
    (group!.betas as unknown as number[])[1] = 5;
  }).toThrow(TypeError);
  expect(group!.betas).toEqual([0.9, 0.99]);
  group!.betas = [0.8, 0.9];
  expect(group!.betas).toEqual([0.8, 0.9]);
});

test("what is no state dict, gradient or module is told", () => {
  expect(() => layer.loadStateDict(wrong({ weight: [1, 2] }))).toThrow(StateDictError);
  expect(() => layer.loadStateDict(wrong({ module: layer.stateDict() }))).toThrow(
    /"module" is object, no tensor/,
  );
  expect(() => layer.loadStateDict(null as never)).toThrow(/the state dict is null; give tensors by path/);
  expect(() => functionalCall(layer, null as never, ones([1, 2]))).toThrow(ArgumentError);
  expect(() => {
    layer.weight.grad = 3 as never;
  }).toThrow(/grad: number for weight; a gradient is a tensor, or null/);
  for (const root of [null, undefined, optimizer, "weight"])
    expect(() => freeze(root as never, "weight" as never)).toThrow(/is no module/);
});
