import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian and others put it. */
const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** This machine's Chromium; undefined where none is found. */
export const chromiumPath = paths.find(existsSync);

/** Starts Chromium without a window; the default is this machine's. */
export const launchChromium = (executablePath = chromiumPath ?? paths[0]!): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
