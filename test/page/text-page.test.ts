import { mkdtempSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { tinyModel } from "../../examples/text/base-model.ts";
import { bundleForPage } from "../../scripts/bundle-for-page.ts";
import { launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { root } from "../../scripts/sources.ts";
import { withoutBrowser } from "./browser.ts";

test.skipIf(withoutBrowser)("the page that tunes a model in a worker", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(root, "examples/data/.tiny-"));
  await tinyModel(folder);
  const files = { "/train.js": await bundleForPage("examples/text-page/train.js") };
  const server = await servePage("examples/text-page", { files });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}?base=/${relative(root, folder)}/&texts=200`);
    const said = () => page.textContent("#said");
    await expect.poll(said, { timeout: 60_000 }).toMatch(/texts are right|Error/);
    expect(await said()).toMatch(
      /^\d+ bytes of weights have come\n10 of 13: \d+\.\d+\n\d+\.\d % of 200 texts are right\n$/,
    );
    await expect.poll(() => page.textContent("#found"), { timeout: 30_000 }).toMatch(/^[a-z]+$/);
    await page.fill("#text", "a mail server");
    await page.press("#text", "Enter");
    expect(await page.isEnabled("#text")).toBe(true);
  } finally {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
