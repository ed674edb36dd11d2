import * as nn from "thaw/nn";
import { AdamW, SGD } from "thaw/optim";
import { noGrad, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { expect, test, vi } from "vitest";
import { FreezeError } from "../../src/base/errors.ts";

class Net extends nn.Module {
  body = new nn.Linear(2, 2);
  head = new nn.Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x));
  }
}
const x = tensor([[1, 2]]);

test("says nothing while nothing frozen moves", async () => {
  const net = new Net();
  const step = trainStep(new AdamW(net, { lr: 0.1 }), {
    loss: () => net.forward(x).pow(2).sum(),
    trains: "head.**",
    verify: true,
  });
  for (let i = 0; i < 3; i++) await step();
  // Between calls it may move: another step may train it.
  noGrad(() => net.body.weight.mul_(2));
  await step();
});

test("names the parameter, the call and the line that wrote", async () => {
  const net = new Net();
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (leak: boolean) => {
      if (leak) noGrad(() => net.body.weight.mul_(0.5));
      return net.forward(x).pow(2).sum();
    },
    trains: "head.**",
    verify: true,
  });
  await step(false);
  await expect(step(true)).rejects.toThrow(FreezeError);
  await expect(step(true)).rejects.toThrow(
    /^body\.weight is frozen in call 3 of this step, and the call has changed its bits\. It was written by a direct write at .*verify\.test\.ts:\d+\./,
  );
});

test("names rows, and another optimizer", async () => {
  const net = new Net();
  const other = new SGD(net.body, { lr: 0.1 });
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: () => {
      const loss = net.forward(x).pow(2).sum();
      loss.backward();
      other.step();
      return loss;
    },
    trains: ["head.**", "body.weight[0]"],
    verify: true,
  });
  await expect(step()).rejects.toThrow(/^body\.weight\[1:?\] is frozen .* written by SGD at/);
});

test("a trained parameter that the loss does not reach is told of once, by name", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const net = new Net();
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (whole: boolean) => (whole ? net.forward(x) : net.body.forward(x)).pow(2).sum(),
    trains: "**",
  });
  await step(true);
  expect(warn).not.toHaveBeenCalled();
  await step(false);
  await step(false);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0]![0]).toMatch(
    /trains \("\*\*"\) names head\.weight, head\.bias, which the loss does not depend on/,
  );
  warn.mockRestore();
});
