import { RankError } from "thaw";
import { group } from "thaw/distributed";
import { Linear } from "thaw/nn";
import { SGD } from "thaw/optim";
import { manualSeed, randn } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { expect, test, vi } from "vitest";
import { lineWriter } from "../../src/distributed/line-writer.ts";
import { taggedLines } from "../../src/distributed/mpi/tagged-lines.ts";
import { sumInOrder } from "../../src/ir/sum-in-order.ts";

test("a script that is started plainly has a group of one, with which a step does as without", async () => {
  const alone = group();
  expect(group()).toBe(alone);
  expect([alone.rank, alone.size, alone.engine, alone.restarts]).toEqual([0, 1, "none", 0]);
  const given = { at: [1, 2] };
  const [copy] = await alone.gather(given);
  expect(copy).toEqual(given);
  expect(copy).not.toBe(given);
  expect(await alone.broadcast("x")).toBe("x");
  await expect(alone.broadcast(1, 1)).rejects.toThrow("broadcast(): from is 1; ranks are 0");
  await expect(alone.gather(() => 1)).rejects.toThrow(/cannot be copied/);
  expect(await alone.sum(Float32Array.of(1, 2))).toEqual(Float32Array.of(1, 2));
  await alone.barrier();
  expect(() => alone.abort("enough")).toThrow(RankError);
  const weights: unknown[] = [];
  for (const more of [{}, { group: alone }]) {
    manualSeed(0);
    const net = new Linear(3, 2);
    const loss = (x: ReturnType<typeof randn>) => net.forward(x).pow(2).mean();
    const step = trainStep(new SGD(net, { lr: 0.1 }), { loss, trains: "**", ...more });
    manualSeed(1);
    for (let i = 0; i < 3; i++) await step(randn([2, 3]));
    weights.push(await net.weight.data());
  }
  expect(weights[1]).toEqual(weights[0]);
});

test("options that cannot be are said", () => {
  const net = new Linear(3, 2);
  const made = (more: object) => () =>
    trainStep(new SGD(net, { lr: 0.1 }), { loss: () => net.weight.sum(), trains: "**", ...more });
  expect(made({ group: 2 })).toThrow(
    "trainStep: group is no group of ranks; give what distributed.group() gives",
  );
  expect(made({ average: "median" })).toThrow('trainStep: average is median; it must be "ranks" or "used"');
  expect(made({ samples: 3 })).toThrow(
    "trainStep: samples is number; it must be a function of the arguments",
  );
  expect(made({ samples: () => 3, accumulate: 2 })).toThrow(
    "trainStep: samples and accumulate do not go together; leave one of them out",
  );
  expect(made({ frozenAlone: "ignore" })).toThrow(
    'trainStep: frozenAlone is ignore; it must be "error" or "withhold"',
  );
  expect(made({ start: "fresh" })).toThrow('trainStep: start is fresh; it must be "same" or "broadcast"');
});

test("a page has no ranks, which is said", async () => {
  vi.stubGlobal("process", undefined);
  try {
    vi.resetModules();
    const fresh = await import("../../src/distributed/current.ts");
    expect(() => fresh.group()).toThrow(/a page has no other ranks.*thaw run -n 2/);
  } finally {
    vi.unstubAllGlobals();
  }
});

test("sums are rounded at each addition, in rank order, whoever adds which elements", () => {
  const f32 = [0.1, 1e8, -1e8].map((x) => Float32Array.of(x, x, x));
  const expected = Math.fround(Math.fround(Math.fround(0.1) + 1e8) - 1e8);
  const total = new Float32Array(3);
  sumInOrder(f32, total, "f32");
  expect([...total]).toEqual([expected, expected, expected]);
  // 2⁻⁸ three times: of bf16 each alone is lost beside 1; together they are 1.5 of its last place, which ties to 2.
  const bf16 = [0x3f80, 0x3b80, 0x3b80, 0x3b80].map((bits) => Uint16Array.of(bits));
  const sum = new Uint16Array(1);
  sumInOrder(bf16, sum, "bf16");
  expect(sum[0]).toBe(0x3f82);
  const whole = new Uint8Array(1);
  sumInOrder([Uint8Array.of(200), Uint8Array.of(100), Uint8Array.of(1)], whole, "u8");
  expect(whole[0]).toBe(45);
});

test("lines are given whole, in whatever pieces they come", () => {
  const lines: string[] = [];
  const { write, end } = lineWriter((line) => lines.push(line));
  const bytes = new TextEncoder().encode("one\ntwö\n\nthree");
  for (const byte of bytes) write(Uint8Array.of(byte));
  end();
  end();
  expect(lines).toEqual(["one", "twö", "", "three"]);
});

test("pieces of ranks' lines, which Open MPI has mixed, are put together", () => {
  const lines: [number | null, string][] = [];
  const { write, end } = taggedLines((rank, line) => lines.push([rank, line]));
  write("mpirun says");
  write("[7,0]<stdout>:whole");
  write('[7,0]<stdout>:{"long":[7,1]<stdout>:a[7,0]<stdout>: 1,[7,1]<stdout>:b');
  write("[7,0]<stdout>: 2}");
  write("");
  write("[7,1]<stderr>:left[7,0]<stderr>:");
  end();
  expect(lines).toEqual([
    [null, "mpirun says"],
    [0, "whole"],
    [1, "ab"],
    [0, '{"long": 1, 2}'],
    [null, ""],
    [0, ""],
    [1, "left"],
  ]);
});
