import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointError, manualSeed, noGrad } from "thaw";
import { load, save } from "thaw/checkpoint";
import * as nn from "thaw/nn";
import { AdamW } from "thaw/optim";
import { ones, type Tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterAll, expect, test } from "vitest";
import { HeldWeights } from "../../src/checkpoint/held-weights.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-held-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

class Net extends nn.Module {
  body = new nn.Linear(64, 64);
  head = new nn.Linear(64, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x).relu());
  }
}

/** A network as a folder would give it: but for the head, always the same. */
function opened(seed = 1) {
  manualSeed(seed);
  const net = new Net();
  const body = new HeldWeights(net.namedParameters().filter(([path]) => path.startsWith("body.")));
  const optimizer = new AdamW(net, { lr: 0.1 });
  const stepOf = (trains: "head.**" | "**") =>
    trainStep(optimizer, { loss: (x: Tensor) => net.forward(x).square().mean(), trains: [trains] });
  return { net, base: body, optimizer, stepOf };
}

const values = (net: nn.Module) => [...net.stateDict()].map(([path, t]) => [path, t.toArraySync()]);

test("what nothing has been written to is not in the file, and stays as it is", async () => {
  const path = join(top, "head.safetensors");
  const { net, base, optimizer, stepOf } = opened();
  await stepOf("head.**")(ones([4, 64]));
  save(path, { module: net, optimizer, base });
  expect(statSync(path).size).toBeLessThan(8_000);
  const other = opened();
  const before = other.net.body.weight.resident.storage.version;
  load(path, { module: other.net, optimizer: other.optimizer, base: other.base });
  expect(values(other.net)).toEqual(values(net));
  expect(other.net.body.weight.resident.storage.version).toBe(before);
  // It goes on from there: the same is left out of the next one.
  save(path, { module: other.net, optimizer: other.optimizer, base: other.base });
  expect(statSync(path).size).toBeLessThan(8_000);
});

test("what has been trained is in the file, and what has been written to", async () => {
  const path = join(top, "all.safetensors");
  const { net, base, optimizer, stepOf } = opened();
  await stepOf("**")(ones([4, 64]));
  save(path, { module: net, optimizer, base });
  const other = opened();
  load(path, { module: other.net, optimizer: other.optimizer, base: other.base });
  expect(values(other.net)).toEqual(values(net));
  const third = opened();
  noGrad(() => third.net.body.bias!.fill_(2));
  save(path, { module: third.net, base: third.base });
  const fourth = opened();
  load(path, { module: fourth.net, base: fourth.base });
  expect(values(fourth.net)).toEqual(values(third.net));
});

test("another base is an error that names what differs, and so is none; nothing is loaded", () => {
  const path = join(top, "other.safetensors");
  const { net, base } = opened();
  save(path, { module: net, base });
  const another = opened(2);
  const before = values(another.net);
  const loading = () => load(path, { module: another.net, base: another.base });
  expect(loading).toThrow(CheckpointError);
  expect(loading).toThrow(/"body\.bias" is another now: its checksum is [0-9a-f]+, and was/);
  expect(() => load(path, { module: another.net })).toThrow(/no base was given/);
  expect(values(another.net)).toEqual(before);
  const written = opened();
  noGrad(() => written.net.body.bias!.fill_(0));
  expect(() => load(path, { module: written.net, base: written.base })).toThrow(/has been written to since/);
});
