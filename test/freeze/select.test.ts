import { type Selector, select } from "thaw/freeze";
import * as nn from "thaw/nn";
import { describe, expect, test } from "vitest";
import { SelectorError } from "../../src/base/errors.ts";

class Block extends nn.Module {
  norm = new nn.LayerNorm(4, { bias: false });
  fc = new nn.Linear(4, 4);
}

class Network extends nn.Module {
  embedding = new nn.Embedding(7, 4);
  blocks = [new Block(), new Block()];
  dropout = new nn.Dropout();
  output = new nn.Linear(4, 7, { bias: false });

  constructor() {
    super();
    this.output.weight = this.embedding.weight;
  }
}

const net = new Network();
const chosen = (selector: Selector): string[] => [...select(net, selector).keys()];
const norms = ["blocks.0.norm.weight", "blocks.1.norm.weight"];
const all = [...net.namedParameters()].map(([path]) => path);

describe("selects by", () => {
  test("glob, in the module's order", () => expect(chosen("**.norm.**")).toEqual(norms));
  test("regular expression, whatever its flags", () => {
    expect(chosen(/norm/g)).toEqual(norms);
    const sticky = /NORM/giy;
    sticky.lastIndex = 50;
    expect(chosen(sticky)).toEqual(norms);
    expect(sticky.lastIndex).toBe(50);
  });
  test("module", () => expect(chosen(net.blocks[1]!.fc)).toEqual(["blocks.1.fc.weight", "blocks.1.fc.bias"]));
  test("the module itself", () => expect(chosen(net)).toEqual(all));
  test("parameter", () => expect(chosen(net.blocks[0]!.fc.bias!)).toEqual(["blocks.0.fc.bias"]));
  test("predicate", () => expect(chosen((path, p) => p.ndim === 1 && path.includes("norm"))).toEqual(norms));
  test("an array of these, each parameter once", () =>
    expect(chosen(["blocks.0.**", "blocks.0.fc.bias", net.blocks[1]!.norm])).toEqual([
      "blocks.0.norm.weight",
      "blocks.0.fc.weight",
      "blocks.0.fc.bias",
      "blocks.1.norm.weight",
    ]));
});

describe("exclusions", () => {
  test("win, wherever they stand", () => {
    expect(chosen(["blocks.0.**", "!**.fc.**"])).toEqual(["blocks.0.norm.weight"]);
    expect(chosen(["!**.fc.**", "blocks.0.**"])).toEqual(["blocks.0.norm.weight"]);
  });
  test("alone mean everything else", () => {
    expect(chosen(["!blocks.**"])).toEqual(["embedding.weight"]);
    expect(chosen("!blocks.**")).toEqual(["embedding.weight"]);
  });
  test("that leave nothing select nothing", () => expect(chosen(["blocks.**", "!**"])).toEqual([]));
});

describe("a tied weight", () => {
  test("is selected by any of its paths, under its first", () => {
    expect(chosen("output.weight")).toEqual(["embedding.weight"]);
    expect(chosen("embedding.**")).toEqual(["embedding.weight"]);
    expect(chosen(net.output)).toEqual(["embedding.weight"]);
  });
  test("is excluded by any of its paths", () =>
    expect(chosen(["embedding.**", "blocks.0.norm.*", "!output.weight"])).toEqual(["blocks.0.norm.weight"]));
});

describe("what matches nothing throws", () => {
  const message = (selector: Selector): string => {
    try {
      select(net, selector);
    } catch (error) {
      expect(error).toBeInstanceOf(SelectorError);
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  };
  test("naming the nearest paths", () => {
    expect(message("output.wieght")).toMatch(
      /^"output\.wieght" selects no parameter of Network\. Nearest: output\.weight, /,
    );
    expect(message("block.0.fc.bias")).toMatch(/Nearest: blocks\.0\.fc\.bias, blocks\.1\.fc\.bias/);
    expect(message("outptu.**")).toMatch(/Nearest: output\.\*\*/);
  });
  test("one entry of an array, or an exclusion, too", () => {
    expect(message(["output.**", "hidden.**"])).toMatch(/^"hidden\.\*\*" selects no parameter/);
    expect(message(["output.**", "!hidden.**"])).toMatch(/^"!hidden\.\*\*" selects no parameter/);
  });
  test("saying how a module is meant", () => {
    expect(message("output")).toBe(
      '"output" selects no parameter of Network. "output" is a module; its parameters are "output.**".',
    );
    expect(message(net.dropout)).toBe(
      "the module Dropout selects no parameter of Network. It has no parameters.",
    );
  });
  test("saying that something belongs to another network", () => {
    const other = new Network();
    other.parameters();
    expect(message(other.blocks[0]!)).toBe(
      "the module Block selects no parameter of Network. It is not part of Network.",
    );
    expect(message(other.blocks[0]!.fc.weight)).toMatch(
      /^the parameter blocks\.0\.fc\.weight .* not part of Network/,
    );
  });
  test("listing some paths where there is no text to compare", () => {
    expect(message(/^x/)).toBe(
      "/^x/ selects no parameter of Network. Paths there: embedding.weight, blocks.0.norm.weight, blocks.0.fc.weight, ….",
    );
    expect(message(() => false)).toMatch(/^the function given selects no parameter/);
  });
  test("in a module without parameters", () =>
    expect(() => select(new nn.ReLU() as nn.Module, "weight")).toThrow(
      '"weight" selects no parameter of ReLU. It has no parameters at all.',
    ));
  test("but an empty array names nothing, and gives nothing", () => expect(chosen([])).toEqual([]));
});

describe("what has been selected before", () => {
  class Changing extends nn.Module {
    first: nn.Module = new nn.Linear(2, 2);
    second: nn.Module = new nn.LayerNorm(2);
    head = new nn.Linear(2, 2);
  }

  test("is selected anew where modules, made long before, have changed places", () => {
    const net = new Changing();
    const { first, second } = net;
    const weights = () => [...select(net, "first.**").values()];
    expect(weights()).toEqual(first.parameters());
    [net.first, net.second] = [second, first];
    expect(weights()).toEqual(second.parameters());
    net.head.weight = second.parameters()[0]!;
    expect([...select(net, "head.weight").keys()]).toEqual(["first.weight"]);
  });

  test("is told apart by more than how it is written", () => {
    const net = new Changing();
    const [a, b] = [net.first, net.second];
    const paths = (selector: Selector): string[] => [...select(net, selector).keys()];
    expect(paths(a)).toEqual(["first.weight", "first.bias"]);
    expect(paths(b)).toEqual(["second.weight", "second.bias"]);
    expect(paths(["first.*", "second.*"])).not.toEqual(paths(["first.*"]));
    expect(paths(/HEAD/i)).toEqual(["head.weight", "head.bias"]);
    expect(() => paths(/HEAD/)).toThrow(SelectorError);
    expect(paths("head.bias")).toEqual(["head.bias"]);
    let wanted = "head.bias";
    const asked = (path: string): boolean => path === wanted;
    expect(paths(asked)).toEqual(["head.bias"]);
    wanted = "head.weight";
    expect(paths(asked)).toEqual(["head.weight"]);
  });

  test("is not changed by who has taken it", () => {
    const net = new Changing();
    select(net, "head.*").clear();
    expect(select(net, "head.*").size).toBe(2);
  });
});
