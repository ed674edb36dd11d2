import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

function bench(...options: string[]) {
  return spawnSync(process.execPath, ["--import", "tsx", "bench/run.ts", ...options], {
    cwd: root,
    encoding: "utf8",
  });
}

describe("the benchmark", () => {
  it("gives one row in JSON for each workload, variant and number of cores", { timeout: 60_000 }, () => {
    const { status, stdout, stderr } = bench(
      ..."--json --only W1,matmul-16 --systems thaw --threads 1 --rounds 1 --warmup 0".split(" "),
    );
    expect(stderr).not.toContain("absent");
    expect(status).toBe(0);
    const { machine, versions, results, ...others } = JSON.parse(stdout);
    expect(others).toEqual({});
    expect(machine.cores).toBeGreaterThan(0);
    expect(versions.thaw).toContain(process.versions.node);
    const rows = results.map(
      (row: Record<string, unknown>) => `${row.workload} ${row.system} ${row.threads} ${row.captured}`,
    );
    expect(rows).toEqual([
      "W1 thaw 1 true",
      "W1 thaw 1 false",
      "matmul-16 thaw 1 true",
      "matmul-16 thaw 1 false",
    ]);
    for (const row of results) {
      expect(Object.keys(row).join()).toBe(
        "workload,system,backend,threads,captured,medianMs,minMs,runs,peakMiB",
      );
      expect(row.minMs).toBeGreaterThan(0);
      expect(row.medianMs).toBeGreaterThanOrEqual(row.minMs);
      expect(row.peakMiB).toBeGreaterThan(10);
    }
  });

  it("reports a system that is not installed as absent, with how to install it", () => {
    const { status, stdout } = bench(
      ..."--only W1 --systems pytorch --threads 1 --python /nowhere/python".split(" "),
    );
    expect(status).toBe(0);
    expect(stdout.replaceAll("\n", " ")).toMatch(
      /absent: pytorch: .*\/nowhere\/python.*to install: python3 -m venv/,
    );
  });

  it.each([
    ["--only W9", "unknown workload W9"],
    ["--systems jax", "unknown system jax"],
    ["--threads 0", "--threads 0: whole numbers above 0 are wanted"],
    ["--warmup never", "--warmup never: seconds are wanted"],
    ["--nonsense", "--nonsense"],
  ])("refuses %s", (options, message) => {
    const { status, stderr } = bench(...options.split(" "));
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});
