import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { built } from "../../built.ts";
import { temporaryFolder } from "../../checkpoint/folder.ts";
import { ran } from "../running.ts";
import { namespaces, onTwoHosts } from "./hosts.ts";

beforeAll(() => void built("index.js"));

const script = "../../scripts/faults/program.mjs";
const program = fileURLToPath(new URL(`../${script}`, import.meta.url));
const entry = new URL("../../../dist/index.js", import.meta.url).href;

test.for(["mpirun.openmpi", "mpirun.mpich"] as const)(
  "%s: of two hosts one is cut off in the middle of training: the other names its rank, and the last checkpoint loads",
  { timeout: 180_000 },
  async (mpirun, { skip }) => {
    const way = namespaces();
    if (typeof way === "string") return skip(way);
    const folder = temporaryFolder();
    const said: Record<string, unknown>[][] = [[], []];
    const lines: string[] = [];
    const silence = 3;
    const hosts = onTwoHosts(
      way,
      mpirun,
      [process.execPath, program, entry, folder, "1e9", "{}"],
      { THAW_GROUP_SILENCE: `${silence}`, THAW_GROUP_TIMEOUT: "60" },
      (rank, line) => {
        lines.push(`[${rank ?? ""}] ${line}`);
        if (rank !== null && line.startsWith("{")) said[rank]!.push(JSON.parse(line));
      },
    );
    try {
      const until = async (isSo: () => boolean): Promise<void> => {
        for (let i = 0; i < 3000 && !isSo(); i++) await sleep(20);
        expect(isSo() ? "" : lines.join("\n")).toBe("");
      };
      await until(() => said.every((each) => each.some(({ from }) => from === 0)));
      hosts.cut();
      await until(() => said[0]!.some(({ error }) => error !== undefined));
    } finally {
      await hosts.end();
    }
    expect(said[0]!.at(-1)).toMatchObject({ error: "GroupTimeoutError", rank: 1 });
    expect(said[0]!.at(-1)!.message).toMatch(
      /nothing has been heard of rank 1 for 3 s: it is stopped, or its machine is cut off; it last was in .*, \d\.\d s ago/,
    );
    const again = await ran(script, [entry, folder, "+12", "{}"]);
    expect(again.failure).toBeNull();
    for (const each of again.said) {
      expect(each[1]!.from).toBeGreaterThan(0);
      expect(each.at(-1)).toMatchObject({ calls: (each[1]!.from as number) + 12 });
    }
  },
);
