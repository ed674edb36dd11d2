import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";

import { backendOf } from "../../src/backends/registry.ts";
import { cache } from "../../src/cli/cache.ts";
import { randn } from "../../src/tensor/index.ts";
import { inFolder } from "../backends/native/child.ts";

/** What a call prints. */
function printed(options: Parameters<typeof cache>[0]): string {
  const lines: string[] = [];
  cache(options, (line) => lines.push(line));
  return lines.join("\n");
}

test("the kernels on disk are counted", () => {
  backendOf("native");
  randn([3]).sum().itemSync();
  const found = JSON.parse(printed({ json: true }));
  expect(found).toMatchObject({ folder: expect.any(String), maxBytes: 2 ** 28 });
  // The runtime's object at least.
  expect(found.objects).toBeGreaterThan(0);
  expect(found.bytes).toBeGreaterThan(1000);
  expect(Date.parse(found.oldest)).toBeLessThanOrEqual(Date.now());
  const text = printed({});
  expect(text).toContain(found.folder);
  expect(text).toMatch(/kernels +\d+/);
  expect(text).toMatch(/MiB of at most 256\.0 MiB/);
});

test("clearing removes what thaw keeps there, and nothing else", { timeout: 120_000 }, () =>
  inFolder((folder) => {
    // A folder that is somebody's own, named by mistake.
    chmodSync(folder, 0o700);
    const strangers = ["compiler-notes.json", "libm.so", "notes.txt", "tmp-of-mine"];
    for (const name of strangers) writeFileSync(join(folder, name), "mine");
    // Room for nothing: what is old is thrown away at every chance.
    const env = { THAW_BACKEND: "native", THAW_CACHE: folder, THAW_CACHE_MAX: "1" };
    // In one process: the command compiles its runtime anew, once it is cleared.
    const program = `
      const { backendOf } = await import("${root}src/backends/registry.ts");
      const { cache } = await import("${root}src/cli/cache.ts");
      backendOf("native");
      for (const clear of [false, true, false]) cache({ clear, json: true }, console.log);`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", program],
      { encoding: "utf8", env: { ...process.env, ...env } },
    );
    expect(stderr).toBe("");
    const [before, cleared, after] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(before.objects).toBeGreaterThan(0);
    expect(cleared).toEqual({ folder, cleared: before.objects, bytes: before.bytes });
    expect(after).toMatchObject({ objects: 0, bytes: 0, oldest: null });
    expect(readdirSync(folder).sort()).toEqual(strangers);
  }),
);
