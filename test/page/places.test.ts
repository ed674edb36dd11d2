import { manualSeed, nn, readSafetensors } from "thaw";
import { expect, test } from "vitest";
import { launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { withoutBrowser } from "./browser.ts";

test.skipIf(withoutBrowser)("checkpoints in the places that a page has", { timeout: 120_000 }, async () => {
  const server = await servePage("test/page", { isolated: false });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    const downloading = page.waitForEvent("download");
    // As text: this code is the page's, and must not be touched by what compiles the test.
    const found = await page.evaluate(`import("/places.mjs").then(({ places }) => places())`);
    const downloaded = await downloading;
    expect(found).toEqual({
      opfs: "true, 0 to 1",
      indexedDb: "true, 0 to 1",
      picked: true,
      relative: expect.stringMatching(
        /^HttpError: Cannot load not-here.safetensors: the server answered 404 Not Found; there is no such file/,
      ),
      page: "SafetensorsError: / is a page of HTML: what was downloaded is not the file",
      noFile: expect.stringMatching(
        /^FileError: Cannot load weights\/none.safetensors in the origin's private/,
      ),
      noEntry: "FileError: Cannot load none in the database thaw: there is no such entry",
      ended: "Error: enough",
      notThere: expect.stringMatching(/^FileError: Cannot load ended/),
      unchanged: true,
    });
    manualSeed(1);
    expect(downloaded.suggestedFilename()).toBe("mine.safetensors");
    const weights = readSafetensors((await downloaded.path())!);
    for (const [path, parameter] of new nn.Linear(400, 300).namedParameters())
      expect(weights.get(path)!.dataSync()).toEqual(parameter.dataSync());
  } finally {
    await browser.close();
    server.close();
  }
});
