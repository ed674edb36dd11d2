import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian and others put it. */
const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** This machine's Chromium; undefined where none is found. */
export const chromiumPath = paths.find(existsSync);

/** What gives pages WebGPU on a machine without a GPU. */
export const webGpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Starts Chromium without a window, with more arguments than always; the default is this machine's. */
export const launchChromium = (
  executablePath = chromiumPath ?? paths[0]!,
  more: readonly string[] = [],
): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...more],
  });
