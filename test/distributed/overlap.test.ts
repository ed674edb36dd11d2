import { Linear, ReLU, Sequential } from "thaw/nn";
import { SGD } from "thaw/optim";
import { manualSeed, randn } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { expect, test } from "vitest";
import { bucketsOf } from "../../src/distributed/buckets.ts";
import type { Engine } from "../../src/distributed/engine.ts";
import type { Group } from "../../src/distributed/group.ts";
import { Met } from "../../src/distributed/met.ts";
import { StepGroup } from "../../src/distributed/step-group.ts";
import { twin } from "../ir/twin.ts";

/** A group of two, of which the other rank does just what this one does; it notes what happens, in its order. */
function traced(events: string[]): Group {
  let exchange = 0;
  const engine: Engine = {
    ...{ name: "twin", rank: 0, size: 2, restarts: 0, sent: { sums: 0, messages: 0 } },
    gather: (_, bytes) => [bytes.slice(), bytes.slice()],
    broadcast: (_, bytes) => bytes!,
    begin(_, given) {
      const name = exchange++;
      const { finish } = twin.begin(given);
      events.push(`begin ${name}: ${given.parts.map(({ length }) => length / 4)}`);
      return {
        poll: () => void events.push("kernel"),
        finish() {
          finish();
          events.push(`end ${name}`);
        },
      };
    },
    release: () => void events.push("release"),
    interrupt() {},
    note() {},
    abort() {},
  };
  const forStep: Group["forStep"] = (settings) => new StepGroup(engine, 1, settings, new Met());
  return { rank: 0, size: 2, forStep } as Group;
}

test("gradients of the last layers are on their way while those of the first are computed", async () => {
  manualSeed(0);
  const net = new Sequential(
    new Linear(8, 16),
    new ReLU(),
    new Linear(16, 16),
    new ReLU(),
    new Linear(16, 4),
  );
  const events: string[] = [];
  const step = trainStep(new SGD(net, { lr: 0.1 }), {
    loss: (x: ReturnType<typeof randn>) => net.forward(x).square().mean(),
    trains: "**",
    group: traced(events),
    bucketCapMb: 1.2e-3,
  });
  await step(randn([32, 8]));
  events.length = 0;
  await step(randn([32, 8]));
  // Three buckets and a word for checks, each of them one after the other, and a release for each group of sums.
  const begun = events.filter((event) => event.startsWith("begin"));
  expect(begun.map((event) => event.slice(8).trim())).toEqual([
    ": 4,64,16".slice(2),
    ": 256,16".slice(2),
    ": 128".slice(2),
    ": 1".slice(2),
  ]);
  const at = (event: string): number => events.findIndex((e) => e.startsWith(event));
  const names = [0, 1, 2, 3].map((i) => i + 4);
  for (const [i, name] of names.entries()) {
    expect(at(`end ${name}`)).toBeGreaterThan(at(`begin ${name}`));
    if (i > 0) expect(at(`begin ${name}`)).toBeGreaterThan(at(`end ${name - 1}`));
  }
  // Between its beginning and its end, a bucket leaves time for the backward pass of the layers before it.
  const kernels = (name: number): number =>
    events.slice(at(`begin ${name}`), at(`end ${name}`)).filter((event) => event === "kernel").length;
  expect(kernels(4)).toBeGreaterThanOrEqual(2);
  expect(kernels(5)).toBeGreaterThanOrEqual(1);
  expect(events.slice(-2)).toEqual(["release", "release"]);
});

test("buckets go by the order that ranks have, from its end, and hold what fits", () => {
  const net = new Sequential(new Linear(8, 16), new Linear(16, 4));
  const all = new Map(net.parameters().map((p) => [p, null]));
  const sizes = (capBytes: number) =>
    bucketsOf(all, capBytes).map(({ members }) => members.map((p) => p.numel));
  expect(sizes(1e6)).toEqual([[4, 64, 16, 128]]);
  expect(sizes(300)).toEqual([[4, 64], [16], [128]]);
  expect(sizes(1)).toEqual([[4], [64], [16], [128]]);
});
