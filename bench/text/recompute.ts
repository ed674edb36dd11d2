// A step of 24 layers of an encoder with each under `checkpoint`, beside the same step without: memory of what the forward
// pass leaves, time, and whether loss and trained parameters have the same bits.
import type { Tensor } from "thaw";

type Thaw = typeof import("thaw");
const least = (times: readonly number[]) => Math.min(...times);

/** Measures over so many turns, and prints what was found beside the bars. */
export async function recomputation(
  { checkpoint, manualSeed, mseLoss, nn, optim, randn, trainStep }: Thaw,
  rounds: number,
): Promise<void> {
  class Deep extends nn.Module {
    readonly recomputes: boolean;
    layers = new nn.ModuleList(
      Array.from(
        { length: 24 },
        () =>
          new nn.TransformerEncoderLayer(192, 3, {
            dimFeedforward: 768,
            activation: "gelu",
            batchFirst: true,
          }),
      ),
    );

    constructor(recomputes: boolean) {
      super();
      this.recomputes = recomputes;
    }

    forward(x: Tensor): Tensor {
      for (const layer of this.layers) x = this.recomputes ? checkpoint(layer, x) : layer.forward(x);
      return x;
    }
  }

  const [x, y] = [randn([8, 128, 192]), randn([8, 128, 192])];
  const make = (recomputes: boolean) => {
    manualSeed(1);
    const net = new Deep(recomputes);
    const optimizer = new optim.AdamW(net, { lr: 1e-4 });
    const step = trainStep(optimizer, {
      loss: (x: Tensor, y: Tensor) => mseLoss(net.forward(x), y),
      trains: ["**"],
    });
    return { net, step, times: [] as number[], losses: [] as number[] };
  };
  const both = [make(false), make(true)];
  for (let round = 0; round <= rounds; round++)
    for (const { step, times, losses } of both) {
      manualSeed(round);
      const start = process.cpuUsage();
      losses.push(await step(x, y));
      const { user, system } = process.cpuUsage(start);
      if (round > 0) times.push((user + system) / 1e3);
    }
  const [without, within] = both as [(typeof both)[0], (typeof both)[0]];
  let moved = without.losses.filter((loss, i) => !Object.is(loss, within.losses[i])).length;
  const others = [...within.net.parameters()];
  for (const [i, parameter] of [...without.net.parameters()].entries()) {
    const [a, b] = [await parameter.data(), await others[i]!.data()];
    for (let e = 0; e < a.length; e++) if (!Object.is(a[e], b[e])) moved++;
  }
  const [all, kept] = [without, within].map(({ step }) => step.explain(x, y).cost.arenaBytes) as [
    number,
    number,
  ];
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  const time = least(within.times) / least(without.times);
  console.log(
    `24 layers, checkpoint      memory ${mib(kept)} of ${mib(all)} MiB: ${(kept / all).toFixed(3)} (bar 0.167); ` +
      `time ${time.toFixed(2)} (bar 1.35); ${moved} losses and parameters' elements differ (bar 0)`,
  );
}
