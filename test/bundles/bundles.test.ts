import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../../scripts/chromium.ts";
import { tinyFolder, tinyTexts } from "../models/tiny-folder.ts";
import { withoutBrowser } from "../page/browser.ts";
import { bundle, bundlers } from "./bundlers.ts";

// The package in a bundle: it is built, tree-shaken and minified, and trains. `npm test` takes the two bundlers that come
// with its other tools; `npm run check:bundles` takes all, in the versions that package.json here has.

const here = fileURLToPath(new URL(".", import.meta.url));
const some = ["esbuild", "esbuild for node", "vite"];
const names = process.env.BUNDLERS === "all" ? Object.keys(bundlers) : some;
const [train, tune] = ["train.mjs", "models.mjs"].map((file) => readFileSync(join(here, file), "utf8")) as [
  string,
  string,
];

interface Trained {
  backend: string;
  losses: number[];
  report: string;
  /** The name of the error that a mistake makes. */
  refused: string;
  error?: string;
}

describe.skipIf(withoutBrowser)("a bundle", () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);

  afterAll(() => browser?.close());

  /** What the scripts of a folder put into the title of their page. */
  async function inPage<T = Trained>(folder: string): Promise<T> {
    const page = await browser.newPage();
    try {
      await page.route("**/*", (route) => {
        const { pathname } = new URL(route.request().url());
        const path = join(folder, pathname === "/" ? "index.html" : pathname);
        if (existsSync(path)) return route.fulfill({ path });
        const body = '<!doctype html><title></title><script type="module" src="./main.js"></script>';
        return pathname === "/"
          ? route.fulfill({ body, contentType: "text/html" })
          : route.fulfill({ status: 404 });
      });
      await page.goto("http://localhost/");
      await expect.poll(() => page.title(), { timeout: 60_000 }).not.toBe("");
      return JSON.parse(await page.title()) as T;
    } finally {
      await page.close();
    }
  }

  it.each(["esbuild", "vite"])("of %s tunes a model from addresses", { timeout: 300_000 }, async (name) => {
    const built = await bundle(name, here, tune);
    tinyFolder(built.folder);
    tinyTexts(built.folder);
    try {
      expect(await inPage<object>(built.folder)).toEqual({
        steps: 1,
        labels: ["animals", "software"],
        found: 1,
      });
      // What a page loads for it, in kB with gzip.
      expect(built.bytes / 1000).toBeLessThan(350);
      console.log(`${name}: ${(built.bytes / 1000).toFixed(0)} kB with gzip`);
    } finally {
      built.remove();
    }
  });

  async function inNode(folder: string): Promise<Trained> {
    const { stdout } = await promisify(execFile)(process.execPath, ["main.mjs"], { cwd: folder });
    return JSON.parse(stdout) as Trained;
  }

  it.each(names)("of %s trains", { timeout: 300_000 }, async (name) => {
    const built = await bundle(name, here, train);
    try {
      const node = name.endsWith("node");
      const { backend, losses, report, refused, error } = await (node ? inNode : inPage)(built.folder);
      expect(error).toBeUndefined();
      if (!node) expect(backend).toBe("wasm");
      expect(losses).toHaveLength(40);
      expect(losses.at(-2)).toBeLessThan(0.95 * losses[0]!);
      expect(losses.at(-1)).toBeLessThan(0.95 * losses[1]!);
      expect(report).toContain("hiddenTask1.weight");
      expect(refused).toBe("ShapeError");
    } finally {
      built.remove();
    }
  });
});

/** What an import costs, in kB with gzip. */
async function costOf(bundler: string, program: string): Promise<number> {
  const built = await bundle(bundler, here, program);
  built.remove();
  return built.bytes / 1000;
}

it("costs what is used of it", { timeout: 120_000 }, async () => {
  const error = 'import { ThawError } from "thaw"; console.log(ThawError);';
  for (const bundler of ["esbuild", "vite"]) expect(await costOf(bundler, error)).toBeLessThan(2);
  expect(await costOf("vite", 'import { nn } from "thaw"; console.log(nn.Linear);')).toBeLessThan(128);
  expect(await costOf("vite", train)).toBeLessThan(176);
});
