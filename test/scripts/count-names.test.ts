import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answer, camelCase, isThere } from "../../scripts/names/answer.ts";
import { reasons } from "../../scripts/names/reasons.ts";
import { renames } from "../../scripts/names/renames.ts";
import { isModelling, namesIn } from "../../scripts/names/scan.ts";
import { root } from "../../scripts/sources.ts";

const names = Object.keys(
  JSON.parse(readFileSync(join(root, "scripts/names/counted.json"), "utf8")) as Record<string, number>,
);

test("every name that modelling code uses is there, or left out for a reason", () => {
  expect(names.length).toBeGreaterThan(700);
  const missing = names.filter((name) => {
    const { thaw, reason } = answer(name);
    return thaw === null && reason === null;
  });
  expect(missing).toEqual([]);
});

test("every other name that is given for one is there, for a name that is used", () => {
  expect(Object.entries(renames).filter(([, given]) => !isThere(given))).toEqual([]);
  expect(Object.keys(renames).filter((name) => !names.includes(name))).toEqual([]);
});

test("what is not there is not said to be", () => {
  for (const name of ["torch.no_such_thing", "F.no_such_thing", "nn.NoSuchThing", ".no_such_thing_"])
    expect(answer(name)).toEqual({ thaw: null, reason: null });
  for (const given of ["noSuchThing", "Tensor.noSuchThing", "nn.init.noSuchThing", '"i64"'])
    expect(isThere(given)).toBe(false);
  expect(answer("torch.softmax").thaw).toBe("Tensor.softmax");
  expect(answer("F.cross_entropy").thaw).toBe("nn.crossEntropy");
  expect(answer(".masked_fill_").thaw).toBe("Tensor.maskedFill_");
});

test("no reason is for a name of what thaw is made of", () => {
  for (const name of ["torch.matmul", "nn.Linear", "F.softmax", ".view", "torch.linalg.inv", "nn.LayerNorm"])
    expect(reasons.filter((reason) => reason.names.test(name))).toEqual([]);
});

test.each([
  ["log_softmax", "logSoftmax"],
  ["index_add_", "indexAdd_"],
  ["atleast_1d", "atleast1d"],
  ["normal_", "normal_"],
  ["BatchNorm1d", "BatchNorm1d"],
])("%s is %s", (snake, camel) => expect(camelCase(snake)).toBe(camel));

const methods = new Set(["view", "masked_fill", "split", "add_"]);
const found = (python: string): string[] => [...namesIn(python, methods)].sort();

test("names are found by their modules' other names, by what is imported, and as methods", () => {
  expect(found("import torch\nx = torch.cat([a, b]).view(2)\n")).toEqual([".view", "torch.cat"]);
  expect(found("import torch.nn.functional as func\ny = func.softmax(x)\n")).toEqual(["F.softmax"]);
  expect(found("from torch import nn\nclass A(nn.Module):\n  pass\nz = nn.functional.relu(x)\n")).toEqual([
    "F.relu",
    "nn.Module",
  ]);
  expect(found("from torch.nn import (\n  Linear,\n  LayerNorm as Norm,\n)\nNorm(3)\n")).toEqual([
    "nn.LayerNorm",
    "nn.Linear",
  ]);
  expect(found("import torch\ntorch.Tensor.view(x, 2)\ntorch.finfo(x.dtype).min\n")).toEqual([
    ".view",
    "torch.finfo",
  ]);
});

test("comments, strings and other libraries are no uses", () => {
  expect(found('import torch\n"""torch.cat"""\n# torch.stack\nx = "torch.sum"\n')).toEqual([]);
  expect(found("import torch\nimport numpy as np\nnp.split(x)\nmytorch.cat(x)\nself.torch.cat(x)\n")).toEqual(
    [],
  );
  expect(found("import tensorflow\nx.view(2)\n")).toEqual([]);
});

test.each([
  ["transformers/models/llama/modeling_llama.py", true],
  ["transformers/models/llama/modular_llama.py", false],
  ["transformers/models/llama/configuration_llama.py", false],
  ["timm/layers/drop.py", true],
  ["timm/data/loader.py", false],
  ["diffusers/models/attention.py", true],
  ["transformers/activations.py", true],
])("%s: %s", (path, counts) => expect(isModelling(path)).toBe(counts));
