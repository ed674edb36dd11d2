import { chromiumPath } from "../../scripts/chromium.ts";

/** Whether there is no browser. A machine with Node alone still passes the tests; where they gate a change it fails them. */
export const withoutBrowser = chromiumPath === undefined && process.env.CI === undefined;
