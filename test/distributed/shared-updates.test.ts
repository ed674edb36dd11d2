import { beforeAll, expect, test, vi } from "vitest";
import { built } from "../built.ts";
import { ran } from "./running.ts";

beforeAll(() => void built("index.js"));

test.each(["2", "4"])(
  "updates that two ranks share out have the bits of one process, with %s threads",
  { timeout: 120_000 },
  async (threads) => {
    vi.stubEnv("THAW_BACKEND", "native");
    vi.stubEnv("THAW_THREADS", threads);
    const { failure, said } = await ran("./shared-updates.mjs", []);
    vi.unstubAllEnvs();
    expect(failure).toBeNull();
    // Two large layers, of which one is frozen for two steps; a call that fails comes to no sum.
    const counts = [2, 2, 1, 1, 2, 0, 2];
    const of = (name: string) => ({ name, counts, differ: [] });
    const whole = { name: "Adafactor", counts: counts.map(() => 0), differ: [] };
    const expected = [of("SGD"), of("AdamW"), of("RMSprop"), whole];
    expect(said).toEqual([expected, expected]);
  },
);
