// What pytorch-ddp.py does, on ranks of thaw: sets of trained parameters that change, and differ by rank. Exits with 1
// where ranks differ in a bit, where something moves that no rank trains, or where a mean is not what it should be.
//
//   node dist/cli/main.js run -n 2 docs/freezing/thaw-devices.ts
import {
  changedParameters,
  distributed,
  freeze,
  manualSeed,
  nn,
  ones,
  optim,
  randn,
  snapshot,
  type Tensor,
  trainStep,
  unfreeze,
} from "thaw";

const group = distributed.group();
let isRight = true;
const claim = (holds: boolean, text: string): void => {
  isRight &&= holds;
  if (group.rank === 0) console.log(`thaw, ${group.size} ranks: ${text}`);
};

/** Three layers, the same on both ranks, which then have data of their own. */
function layers(): nn.Sequential {
  manualSeed(0);
  const net = new nn.Sequential(...Array.from({ length: 3 }, () => new nn.Linear(3, 3)));
  manualSeed(1 + group.rank);
  return net;
}

/** Whether all ranks have the same bits in a network. */
async function isAlike(net: nn.Module): Promise<boolean> {
  const own = await Promise.all(net.parameters().map(async (p) => [...((await p.data()) as Float32Array)]));
  return new Set((await group.gather(own)).map((values) => JSON.stringify(values))).size === 1;
}

const [thawed, frozen, unused, alone] = [layers(), layers(), layers(), layers()];
const stepOf = (net: nn.Sequential) =>
  trainStep(new optim.AdamW(net, { lr: 0.01 }), {
    loss: (x: Tensor) => net.forward(x).square().mean(),
    trains: "**",
    group,
  });

freeze(thawed, "0.**");
const thawing = stepOf(thawed);
await thawing(randn([10, 3]));
unfreeze(thawed, "0.**");
for (let i = 0; i < 100; i++) await thawing(randn([10, 3]));
const alike = await isAlike(thawed);
claim(alike, `100 steps after a layer was thawed ${alike ? "all bits are the same" : "bits differ"}`);

const freezing = stepOf(frozen);
await freezing(randn([10, 3]));
freeze(frozen, "0.**");
const before = snapshot(frozen);
for (let i = 0; i < 100; i++) await freezing(randn([10, 3]));
const paths = [...changedParameters(before, frozen).keys()];
const still = !paths.some((path) => path.startsWith("0."));
claim(
  still && paths.length === 4 && (await isAlike(frozen)),
  `100 steps after a layer was frozen ${still ? "none" : "some"} of its bits have moved, and ${paths.length} other tensors have`,
);

// Rank 0 trains the first layer, rank 1 the second; nobody the third.
const start = snapshot(unused);
const gradient = (net: nn.Sequential, which: number): Promise<ArrayLike<number>> =>
  net.at(which).parameters()[0]!.grad!.data() as Promise<Float32Array>;
const optimizer = new optim.AdamW(unused, { lr: 0.01, weightDecay: 0.1 });
const loss = (which: number) =>
  (unused.at(which) as nn.Linear)
    .forward(ones([10, 3]))
    .square()
    .mean();
(alone.at(0) as nn.Linear)
  .forward(ones([10, 3]))
  .square()
  .mean()
  .backward();
const own = (await gradient(alone, 0))[0]!;
const step = trainStep(optimizer, { loss, trains: "**", group, keepGrads: true });
await step(group.rank);
const share = (await gradient(unused, 0))[0]! / own;
const state = optimizer.state.get(unused.at(2).parameters()[0]!);
const moved = [...changedParameters(start, unused).keys()].filter((path) => path.startsWith("2."));
claim(
  share === 0.5 && state === undefined && moved.length === 0 && (await isAlike(unused)),
  `a layer used by no rank has ${state === undefined ? "no" : "a"} state and ${moved.length} tensors moved, ` +
    `one used by one rank a gradient ${share.toFixed(1)} of its own`,
);

// Rank 1 alone freezes the first layer.
const errors: string[] = [];
let movedOn = 0;
const held = layers();
for (const frozenAlone of ["error", "withhold"] as const) {
  const adam = new optim.AdamW(held, { lr: 0.01, weightDecay: 0.1 });
  const meanSquare = (x: Tensor) => held.forward(x).square().mean();
  const once = trainStep(adam, { loss: meanSquare, trains: "**", group, frozenAlone });
  const was = snapshot(held);
  const call = () => once(randn([10, 3]));
  const error = await Promise.resolve(group.rank === 1 ? freeze(held, "0.**", call) : call()).catch(
    (error: Error) => error,
  );
  const names = await group.gather(error instanceof Error ? error.name : "");
  if (frozenAlone === "error") errors.push(...names);
  else {
    const changes = await group.gather(changedParameters(was, held).has("0.weight"));
    movedOn = changes.filter(Boolean).length;
  }
}
const refused = errors.filter((name) => name === "GroupError").length;
const same = await isAlike(held);
claim(
  refused === group.size && movedOn === group.size && same,
  `frozen on rank 1 alone: GroupError on ${refused} ranks; withheld, it moves on ${movedOn} ranks, ` +
    `to ${same ? "the same" : "other"} bits`,
);

if (!isRight) process.exitCode = 1;
