import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = paths.find(existsSync);

/** Whether there is no browser. A machine with Node alone still passes the tests; where they gate a change it fails them. */
export const withoutBrowser = found === undefined && process.env.CI === undefined;

/** Starts the machine's Chromium. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: found ?? paths[0]!,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
