import * as nn from "thaw/nn";
import { capture, ones, Parameter, type Tensor, tensor, zeros } from "thaw/tensor";
import { expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { freeze, module } from "../../src/freeze/index.ts";

/** Counts its calls and keeps a mean of its inputs, as modules written for PyTorch do. */
class Follows extends nn.Module {
  mean: Tensor = new nn.Buffer(zeros([2]));
  calls: Tensor = new nn.Buffer(zeros([], { dtype: "i32" }));
  scratch: Tensor = new nn.Buffer(zeros([1]), { persistent: false });
  plain: Tensor = zeros([1]);
  weight = new nn.Parameter(ones([2]));

  forward(x: Tensor): Tensor {
    if (this.training) {
      this.mean = this.mean.mul(0.5).add(x.mean(0).mul(0.5));
      this.calls = this.calls.add(1);
    }
    return x.sub(this.mean).mul(this.weight);
  }
}

test("a buffer is found, saved unless it is not persistent, and never trained", () => {
  const net = new Follows();
  expect(net.namedBuffers().map(([path]) => path)).toEqual(["mean", "calls", "scratch"]);
  expect([...net.stateDict().keys()]).toEqual(["weight", "mean", "calls"]);
  expect(net.parameters()).toEqual([net.weight]);
  expect(net.weight).toBeInstanceOf(Parameter);
});

test("a buffer that a tensor is assigned to stays a buffer, and takes its value", () => {
  const net = new Follows();
  const buffer = net.mean;
  net.forward(tensor([[2, 4]]));
  expect(net.mean).toBe(buffer);
  expect(net.mean.toArraySync()).toEqual([1, 2]);
  expect(net.stateDict().get("mean")!.toArraySync()).toEqual([1, 2]);
  expect(net.calls.itemSync()).toBe(1);
  net.plain = ones([1]);
  expect(net.namedBuffers().length).toBe(3);
});

test("one of another shape or dtype takes the place of a buffer, as persistent as it was", () => {
  const net = new Follows();
  net.mean = ones([3]);
  net.scratch = ones([2]);
  expect(net.namedBuffers().map(([path, { shape }]) => [path, shape])).toEqual([
    ["mean", [3]],
    ["calls", []],
    ["scratch", [2]],
  ]);
  expect([...net.stateDict().keys()]).toEqual(["weight", "mean", "calls"]);
});

test("a buffer assigned to in a captured function is written at each replay", () => {
  const net = new Follows();
  const run = capture((x: Tensor) => net.forward(x));
  for (let i = 0; i < 4; i++) run(tensor([[2, 4]])).dataSync();
  expect(net.calls.itemSync()).toBe(4);
  expect(net.mean.toArraySync()).toEqual([1.875, 3.75]);
});

test("a buffer in a module that is frozen stands still, whatever is assigned to it", () => {
  class Net extends nn.Module {
    follows = new Follows();
  }
  const net = new Net();
  const { follows } = net;
  const x = tensor([[2, 4]]);
  freeze(net, module("follows", { mode: "train" }), () => {
    follows.forward(x);
    follows.mean = ones([2]);
    expect(follows.mean.toArraySync()).toEqual([0, 0]);
  });
  expect(follows.calls.itemSync()).toBe(0);
  follows.forward(x);
  expect(follows.mean.toArraySync()).toEqual([1, 2]);
});

test("a tensor is not assigned over a parameter, which would no longer be trained", () => {
  const net = new Follows();
  expect(() => {
    (net as { weight: Tensor }).weight = ones([2]);
  }).toThrow(ArgumentError);
  expect(net.weight.toArraySync()).toEqual([1, 1]);
  net.weight = new nn.Parameter(zeros([3]));
  expect(net.parameters()[0]!.shape).toEqual([3]);
});
