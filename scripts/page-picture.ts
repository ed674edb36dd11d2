import { join } from "node:path";
import type { Page } from "playwright-core";
import { launchChromium } from "./chromium.ts";
import { servePage } from "./serve.ts";
import { root } from "./sources.ts";

// Makes docs/page.png, which README shows: the page of `npm run page` after a while of training, freezing and thawing.

/** Draws a digit as a mouse does, through points from 0 to 200. */
async function draw(page: Page, points: readonly (readonly [x: number, y: number])[]): Promise<void> {
  const { x, y } = (await page.locator("#pad").boundingBox())!;
  await page.mouse.move(x + points[0]![0], y + points[0]![1]);
  await page.mouse.down();
  for (const [dx, dy] of points) await page.mouse.move(x + dx, y + dy, { steps: 4 });
  await page.mouse.up();
}

const server = await servePage("examples/page");
const browser = await launchChromium();
const page = await browser.newPage({ viewport: { width: 1040, height: 720 } });
try {
  await page.goto(server.url);
  await draw(page, [
    [60, 50],
    [100, 35],
    [135, 60],
    [100, 95],
    [140, 125],
    [105, 165],
    [55, 150],
  ]);
  await page.click("#train");
  /** Waits until so many steps have been made. */
  const steps = (count: number): Promise<unknown> =>
    page.waitForFunction((n) => Number(/step (\d+)/.exec(document.body.innerText)?.[1]) >= n, count);
  for (const [count, layer] of [
    [200, "trunk.2"],
    [260, "pixels"],
    [330, "trunk.2"],
    [400, "trunk.5"],
    [440, "pixels"],
  ] as const) {
    await steps(count);
    await page.click(`[id="${layer}"]`);
  }
  await steps(490);
  await page.click("#train");
  await page.screenshot({ path: join(root, "docs/page.png") });
} finally {
  await browser.close();
  server.close();
}
