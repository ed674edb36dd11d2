import { describe, expect, test } from "vitest";
import { check, editor } from "./compiler.ts";

/** What someone sees who writes selectors: completions, and messages where one is wrong. */

const start = `
import { nn, optim, type Tensor, trainStep } from "thaw";
import { freeze, module, select } from "thaw/freeze";
class Block extends nn.Module {
  norm = new nn.LayerNorm(4);
  fc = new nn.Linear(4, 4);
}
class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3);
  blocks = new nn.ModuleList([new Block()]);
  output = new nn.Linear(3, 4);
}
const net = new Network();
const optimizer = new optim.AdamW(net);
declare const loss: (task: "task1" | "task2", x: Tensor) => Tensor;
`;

describe("an editor completes", () => {
  const complete = editor(start);

  test.each([
    'trainStep(optimizer, { loss, trains: "ou|" });',
    'trainStep(optimizer, { loss, trains: ["ou|"] });',
    'trainStep(optimizer, { loss, trains: ["hiddenTask1.**", "|"] });',
    'trainStep(optimizer, { loss, trains: () => "ou|" });',
    'trainStep(optimizer, { loss, trains: (task) => ["hiddenTask1.**", "ou|"] });',
    'trainStep(optimizer, { loss, trains: (task) => [task === "task1" ? "hiddenTask1.**" : "ou|"] });',
    'trainStep(optimizer, { loss, trains: (task) => { return ["ou|"]; } });',
    'trainStep(new optim.SGD(net.parameters()), { module: net, loss, trains: ["ou|"] });',
    'trainStep(optimizer, { loss, trains: "**", freezes: "ou|" });',
    'freeze(net, "ou|");',
    'freeze(net, ["ou|"], () => 1);',
    'select(net, "|");',
  ])("%s", (line) => {
    const offered = complete(line);
    expect(offered).toEqual(
      expect.arrayContaining(["**", "output.weight", "output.bias", "output.**", "blocks.**"]),
    );
    expect(offered).toEqual(
      expect.arrayContaining(["blocks.*.**", "blocks.*.fc.weight", "blocks.*.norm.**"]),
    );
    expect(offered).not.toContain("train");
  });

  test("what is below a path that has been begun", () => {
    expect(complete('freeze(net, "blocks.0.|");')).toEqual(
      expect.arrayContaining(["blocks.0.fc.weight", "blocks.0.norm.**"]),
    );
  });
});

test.each([
  [
    'freeze(net, "outptu.weight");',
    /^Argument of type '"outptu\.weight"' is not assignable to parameter of type '"hiddenTask1\.weight" \| "output\.weight"'\.( Did you mean '"output\.weight"'\?)?$/,
  ],
  [
    'freeze(net, "blocks.0.fc.wieght");',
    / of type '"blocks\.0\.fc\.\*\*" \| "blocks\.0\.fc\.weight" \| "blocks\.0\.fc\.bias"'\./,
  ],
  ['freeze(net, ["**", "!output.wieght"]);', /Did you mean '"!output\.weight"'\?$/],
  ['freeze(net, "outpt.weight[2:]");', / of type '"hiddenTask1\.weight\[2:\]" \| "output\.weight\[2:\]"'\./],
  ['freeze(net, "output");', / of type '"output\.\*\*" \| "output\.weight" \| "output\.bias"'\./],
  ['freeze(net, "heads");', / of type '"\*\*" \| .*"hiddenTask1\.weight"/],
  ['freeze(net, module("outptu"));', / of type 'ModuleSelector<.*"output"/],
  ['freeze(net, module("output.weight"));', / of type 'ModuleSelector<.*"output"/],
  ['trainStep(optimizer, { loss, trains: "outpt.**" });', /Did you mean '"output\.\*\*"'\?$/],
  [
    'trainStep(optimizer, { loss, trains: (task) => ["blocks.**", task === "task1" ? "**" : "outpt.**"] });',
    /^Type .*'"outpt\.\*\*"' is not assignable to type '[^>]*"output\.\*\*"/s,
  ],
  [
    'trainStep(optimizer, { loss, trains: () => "outpt.**" });',
    /^Type '"outpt\.\*\*"' .*Did you mean '"output\.\*\*"'\?$/,
  ],
])("the compiler says of %s what is there", (line, message) => {
  const { messages } = check(start + line);
  expect(messages).toEqual([expect.stringMatching(message)]);
});
