import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../../scripts/chromium.ts";
import { servePage } from "../../scripts/serve.ts";
import { withoutBrowser } from "./browser.ts";

let browser: Browser;
let page: Page;
let server: Awaited<ReturnType<typeof servePage>>;
const problems: string[] = [];

beforeAll(async () => {
  if (withoutBrowser) return;
  server = await servePage("examples/page");
  browser = await launchChromium();
  page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // What the test reads of a canvas is no fault of the page.
    if (message.type() !== "log" && !message.text().startsWith("Canvas2D")) problems.push(message.text());
  });
  page.on("requestfailed", (request) => problems.push(request.url()));
  await page.goto(server.url);
  await page.waitForFunction(() => document.querySelectorAll("#counts > span").length === 8);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  server?.close();
});

const stepsMade = async (): Promise<number> =>
  Number(/step (\d+)/.exec((await page.textContent("#facts"))!)![1]);

/** Waits until so many more steps have been made. */
async function steps(more: number): Promise<void> {
  const enough = (await stepsMade()) + more;
  await page.waitForFunction(
    (n) => Number(/step (\d+)/.exec(document.querySelector("#facts")!.textContent)![1]) >= n,
    enough,
  );
}

/** The bits of each parameter, by path: `page.js` is the module that the page runs. */
const bits = (): Promise<Record<string, string>> =>
  page.evaluate(
    `import("/page.js").then(({ net }) =>
      Object.fromEntries(net.namedParameters().map(([path, p]) => [path, new Uint32Array(p.dataSync().buffer).join()])))`,
  );

/** The layers whose weight or bias differs. */
async function moved(before: Record<string, string>): Promise<string[]> {
  const after = await bits();
  const paths = Object.keys(after).filter((path) => after[path] !== before[path]);
  return [...new Set(paths.map((path) => path.replace(/\.(weight|bias)$/, "")))];
}

/** The colours of the newest column of the map, a row for each parameter. */
const newest = (): Promise<string[]> =>
  page.evaluate(
    `Array.from({ length: 8 }, (_, row) =>
      document.querySelector("#map").getContext("2d").getImageData(659, row * 36 + 18, 1, 1).data.join())`,
  );
const frozenColour = "125,184,232,255";

// A machine with Node alone still passes the tests; where they gate a change, a missing browser is a failure.
test.skipIf(withoutBrowser)(
  "the page trains, freezes and thaws by clicks, and tells a digit that is drawn",
  async () => {
    const start = await bits();
    await page.click("#train");
    await steps(4);
    expect(await moved(start)).toEqual(["pixels", "blocks", "trunk.2", "trunk.5"]);

    await page.click('[id="trunk.2"]');
    await page.click('[id="pixels"]');
    const frozen = await bits();
    await steps(6);
    expect(await moved(frozen)).toEqual(["blocks", "trunk.5"]);
    expect(await page.getAttribute('[id="trunk.2"]', "aria-pressed")).toBe("true");
    expect((await newest()).map((colour) => colour === frozenColour)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      false,
    ]);

    await page.click('[id="trunk.2"]');
    const thawed = await bits();
    await steps(4);
    expect(await moved(thawed)).toEqual(["blocks", "trunk.2", "trunk.5"]);

    for (const layer of ["blocks", "trunk.2", "trunk.5"]) await page.click(`[id="${layer}"]`);
    const still = await bits();
    await page.waitForFunction(() => document.querySelector("#facts")!.textContent.includes("all is frozen"));
    expect(await moved(still)).toEqual([]);
    for (const layer of ["pixels", "blocks", "trunk.2", "trunk.5"]) await page.click(`[id="${layer}"]`);
    await steps(150);

    const box = (await page.locator("#pad").boundingBox())!;
    await page.mouse.move(box.x + 100, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + 100, box.y + 170, { steps: 8 });
    await page.mouse.up();
    await page.waitForFunction(() =>
      /^pixels: \d \(\d+ %\)\nblocks: \d/.test(document.querySelector("#said")!.textContent),
    );
    await page.click("#clear");
    await page.waitForFunction(() => document.querySelector("#said")!.textContent.startsWith("Draw"));

    // Pressed twice at once it goes on as one loop; pressed once it stops.
    await page.evaluate(`for (let i = 0; i < 2; i++) document.querySelector("#train").click()`);
    await steps(4);
    await page.click("#train");
    await page.waitForTimeout(100);
    const [paused, count] = [await bits(), await stepsMade()];
    await page.waitForTimeout(100);
    expect(await moved(paused)).toEqual([]);
    expect(await stepsMade()).toBe(count);

    const right = /pixels right ([\d.]+) %\n?blocks right ([\d.]+) %/.exec(
      (await page.textContent("#facts"))!,
    )!;
    expect(Number(right[1])).toBeGreaterThan(70);
    expect(Number(right[2])).toBeGreaterThan(50);
    expect(await page.textContent("#counts")).toMatch(/^((weight|bias): \d+ steps0 bits at rest){8}$/);
    expect(problems).toEqual([]);
  },
  120_000,
);
