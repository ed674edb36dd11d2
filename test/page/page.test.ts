import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { withoutBrowser } from "./browser.ts";

interface Trained {
  backend: string;
  isolated: boolean;
  onPage: boolean;
  threads: number;
  workersReady: number;
  losses: number[];
  parameters: Record<string, number>;
  product: number;
  differentProducts: number;
}

/** Runs `train.mjs` in a new page of its own, there or in a worker of that page. */
async function trainIn(browser: Browser, isolated: boolean, inWorker: boolean): Promise<Trained> {
  const server = await servePage("test/page", { isolated });
  const page = await browser.newPage();
  try {
    await page.goto(server.url);
    // As text: this code is the page's, and must not be touched by what compiles the test.
    const trained = inWorker
      ? `new Promise((resolve, reject) => {
           const worker = new Worker("/worker.mjs", { type: "module" });
           worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
           worker.onerror = ({ message }) => reject(new Error(message));
         })`
      : `import("/train.mjs").then(({ train }) => train())`;
    return (await page.evaluate(trained)) as Trained;
  } finally {
    await page.close();
    server.close();
  }
}

describe.skipIf(withoutBrowser)("the built package in a browser", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);

  afterAll(() => browser?.close());

  it("trains the same bits on the page and in a worker, with shared memory and without", async () => {
    const runs: Trained[] = [];
    for (const isolated of [false, true]) {
      for (const inWorker of [false, true]) {
        const run = await trainIn(browser, isolated, inWorker);
        expect(run).toMatchObject({
          backend: "wasm",
          isolated,
          onPage: !inWorker,
          threads: isolated ? 2 : 1,
          workersReady: isolated ? 1 : 0,
          differentProducts: 0,
        });
        runs.push(run);
      }
    }
    const [first, ...others] = runs;
    expect(first!.losses).toHaveLength(200);
    expect(first!.losses.at(-2)).toBeLessThan(0.9 * first!.losses[0]!);
    expect(first!.losses.at(-1)).toBeLessThan(0.9 * first!.losses[1]!);
    expect(Object.keys(first!.parameters)).toEqual([
      "hiddenTask1.weight",
      "hiddenTask2.weight",
      "output.weight",
    ]);
    for (const { losses, parameters, product } of others) {
      expect({ losses, parameters, product }).toEqual({
        losses: first!.losses,
        parameters: first!.parameters,
        product: first!.product,
      });
    }
  }, 120_000);
});
