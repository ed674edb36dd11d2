import { expect, test } from "vitest";
import { backendOf } from "../../src/backends/registry.ts";
import { cache } from "../../src/cli/cache.ts";
import { randn } from "../../src/tensor/index.ts";

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
