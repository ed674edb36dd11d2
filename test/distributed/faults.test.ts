import { beforeAll, expect, test } from "vitest";
import { type Fault, faultsOn, type Start } from "../../scripts/faults/faults.ts";
import { built } from "../built.ts";

beforeAll(() => void built("index.js"));

// npm run check:faults does it some hundred times.
test.each<[Start, number, Fault[]]>([
  ["threads", 3, [{ how: "terminate" }, { how: "throws", inside: true }]],
  ["mpirun.openmpi", 3, [{ how: "kill" }]],
  ["mpirun.mpich", 2, [{ how: "stop" }]],
])(
  "%s, %i ranks: after faults at random instants, which all others name, a run ends with the bits of one without",
  { timeout: 180_000 },
  async (start, ranks, faults) => {
    const entry = new URL("../../dist/index.js", import.meta.url).href;
    const seen = await faultsOn({ entry, start, ranks, faults });
    expect(seen).toMatchObject({ count: faults.length, survivors: faults.length * (ranks - 1) });
  },
);
