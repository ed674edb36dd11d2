import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { bundleForPage } from "../../scripts/bundle-for-page.ts";
import { launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { root } from "../../scripts/sources.ts";
import { tinyFolder } from "../models/tiny-folder.ts";
import { withoutBrowser } from "./browser.ts";

test.skipIf(withoutBrowser)(
  "folders of models in the places that a page has",
  { timeout: 120_000 },
  async () => {
    // Within what a page is served from.
    const top = mkdtempSync(join(root, "test/page/.models-"));
    tinyFolder(top);
    cpSync(join(root, "test/page/index.html"), join(top, "index.html"));
    const files = { "/models.mjs": await bundleForPage("test/page/models.mjs") };
    const server = await servePage(relative(root, top), { isolated: false, files });
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      const downloads: string[] = [];
      page.on("download", (download) => downloads.push(download.suggestedFilename()));
      // As text: this code is the page's, and must not be touched by what compiles the test.
      const found = await page.evaluate(`import("/models.mjs").then(({ folders }) => folders())`);
      expect(found).toEqual({
        same: true,
        folder: "opfs:/models/tuned/",
        notThere: expect.stringMatching(
          /^ConfigError: There is no config\.json at opfs:models\/none \(the origin/,
        ),
        relative: expect.stringMatching(/^ConfigError: There is no config\.json at http:.*404/),
        written: expect.stringMatching(/^FileError: savePretrained: tuned cannot be written.*"opfs:folder"/),
      });
      await expect.poll(() => downloads.length).toBe(4);
      expect(downloads.sort()).toEqual([
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
      ]);
    } finally {
      await browser.close();
      server.close();
      rmSync(top, { recursive: true, force: true });
    }
  },
);
