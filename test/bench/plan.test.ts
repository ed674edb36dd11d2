import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("tells what planning costs, in parts, of each depth", { timeout: 60_000 }, () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--import", "tsx", "bench/plan/run.ts", "--json", "--layers", "1", "--rounds", "1"],
    { cwd: fileURLToPath(new URL("../../", import.meta.url)), encoding: "utf8" },
  );
  expect(status).toBe(0);
  const [figures] = JSON.parse(stdout).figures;
  expect(figures.layers).toBe(1);
  expect(figures.first.kernels).toBeGreaterThan(40);
  for (const call of ["cold", "first", "length", "frozen"]) {
    expect(figures[call].recording, call).toBeGreaterThan(0);
    expect(figures[call].planning, call).toBeGreaterThan(0);
  }
  for (const [stage, ms] of Object.entries(figures.stages)) expect(ms, stage).toBeGreaterThan(0);
});
