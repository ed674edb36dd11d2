import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { withoutBrowser } from "./browser.ts";

interface Found {
  backend: string;
  threads: number;
  described: string;
  warnings: string[];
  same: boolean;
}

describe.skipIf(withoutBrowser)("a page with policies", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);

  afterAll(() => browser?.close());

  /** What `policies.mjs` finds in a page with a Content-Security-Policy. */
  async function pageWith(policy: string, isolated = true): Promise<Found> {
    const server = await servePage("test/page", { isolated, headers: { "Content-Security-Policy": policy } });
    const page = await browser.newPage();
    try {
      await page.goto(`${server.url}policies.html`);
      await expect.poll(() => page.title(), { timeout: 30_000 }).not.toBe("");
      return JSON.parse(await page.title()) as Found;
    } finally {
      await page.close();
      server.close();
    }
  }

  it("computes on the next backend where WebAssembly may not be compiled, and says what allows it", async () => {
    const found = await pageWith("script-src 'self'");
    expect(found).toMatchObject({ backend: "reference", threads: 1, same: true });
    expect(found.warnings).toEqual([
      expect.stringMatching(/^thaw: .*wasm: .*'wasm-unsafe-eval' to script-src/),
    ]);
  });

  it("goes on with one thread where no worker starts from a blob, and says what allows it", async () => {
    const found = await pageWith("script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'");
    expect(found).toMatchObject({ backend: "wasm", threads: 1, same: true });
    expect(found.warnings).toEqual([
      expect.stringMatching(/^thaw: one thread: .*add blob: to its worker-src/),
    ]);
    expect(found.described).toMatch(/one thread \(.*worker-src/);
  });

  it("starts workers under trusted types", async () => {
    const found = await pageWith("require-trusted-types-for 'script'");
    expect(found).toMatchObject({ backend: "wasm", threads: 2, warnings: [], same: true });
    expect(found.described).toContain("2 thread(s), up to");
  });

  it("goes on with one thread where its trusted type is refused, and says its name", async () => {
    const found = await pageWith("require-trusted-types-for 'script'; trusted-types other");
    expect(found).toMatchObject({ backend: "wasm", threads: 1, same: true });
    expect(found.warnings).toEqual([
      expect.stringMatching(/^thaw: one thread: .*add thaw to its trusted-types/),
    ]);
  });

  it("goes on with one thread where the page is not isolated, and says which headers it takes", async () => {
    const found = await pageWith("script-src 'self' 'wasm-unsafe-eval'; worker-src blob:", false);
    expect(found).toMatchObject({ backend: "wasm", threads: 1, same: true });
    expect(found.warnings).toEqual([
      expect.stringMatching(/not cross-origin isolated.*Cross-Origin-Opener-Policy: same-origin/),
    ]);
    expect(found.described).toMatch(/one thread \(.*cross-origin isolated/);
  });
});
