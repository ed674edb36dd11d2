import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

const bench = (...options: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", "bench/freezing/run.ts", ...options], {
    cwd: root,
    encoding: "utf8",
  });

it("gives figures with their bars in JSON", { timeout: 60_000 }, () => {
  const { status, stdout } = bench("--json", "--only", "rows,scopes", "--rounds", "1");
  expect(status).toBe(0);
  const { figures, threads } = JSON.parse(stdout);
  expect(threads).toBe(1);
  expect(figures).toHaveLength(7);
  const [share] = figures;
  expect(share).toMatchObject({ unit: "×", bar: 0.02 });
  expect(share.value).toBeGreaterThan(0);
  expect(figures[3].value).toBe(10 / 100_000);
});

it("prints them as a table", { timeout: 60_000 }, () => {
  const { status, stdout } = bench("--only", "rows", "--rounds", "1");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^10 of 100,000 embedding rows.* ≤ 0\.02 +(held|NOT HELD)$/m);
});

it.each([
  ["--only heads", "unknown measurement heads"],
  ["--rounds 0", "--rounds 0: a whole number above 0 is wanted"],
  ["--nonsense", "--nonsense"],
])("refuses %s", (options, message) => {
  const { status, stderr } = bench(...options.split(" "));
  expect(status).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).toContain("npm run bench:freezing");
});
