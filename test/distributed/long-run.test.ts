import { beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";
import { longRuns } from "./long-run.ts";

beforeAll(() => void built("index.js"));

test("after 1,000 steps ranks are no further from one process than that is from itself with rows in another order", {
  timeout: 120_000,
}, async () => {
  for (const { name, ofRanks, ofOrders, alike } of await longRuns("SGD,AdamW", 1000, 2)) {
    expect(alike, name).toBe(true);
    expect(ofOrders).toBeGreaterThan(0);
    expect(ofRanks / ofOrders, name).toBeLessThan(2);
  }
});
