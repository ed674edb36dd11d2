import { freeze, parameterCount, rows, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { expect, test } from "vitest";
import { SelectorError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  embedding = new nn.Embedding(10, 4);
  body = new nn.Linear(4, 4);
  bn = new nn.BatchNorm1d(4);
  head = new nn.Linear(4, 10);
  constructor() {
    super();
    this.head.weight = this.embedding.weight;
  }
}

test("counts elements, tied ones once, by what is trained and what is not", () => {
  const net = new Net();
  const total = 40 + 20 + 8 + 10;
  const counts = (trained: number) => ({ total, trained, frozen: total - trained });
  expect(parameterCount(net)).toEqual(counts(total));
  expect(parameterCount(net, "head.**")).toEqual(counts(50));
  expect(parameterCount(net, ["**", "!embedding.**"])).toEqual(counts(38));
  expect(parameterCount(net, [])).toEqual(counts(0));
  expect(parameterCount(net, [rows("embedding.weight", [1, 2]), "bn.bias"])).toEqual(counts(12));
  freeze(net, ["body.**", "head.weight[:3]"]);
  expect(parameterCount(net)).toEqual(counts(total - 20 - 12));
  expect(parameterCount(net, ["embedding.weight[:5]"])).toEqual(counts(8));
  net.bn.weight!.requiresGrad = false;
  expect(parameterCount(net, "bn.*")).toEqual(counts(4));
  unfreeze(net, "**");
  expect(parameterCount(net)).toEqual(counts(total - 4));
  expect(() => parameterCount(net, "haed.**" as string)).toThrow(SelectorError);
  expect(parameterCount(new nn.ReLU())).toEqual({ total: 0, trained: 0, frozen: 0 });
});

test.each([3, null, undefined, "net"])("refuses %o, which is no module", (root) => {
  expect(() => parameterCount(root as never)).toThrow(/parameterCount: \w+ is no module/);
});
