import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../checkpoint/folder.ts";

const module = new URL("../../src/cli/finish-writes.ts", import.meta.url).href;

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)(
  "a write is finished although %s comes, and the program ends by it",
  (signal, code) => {
    const path = join(temporaryFolder(), "a");
    const program = `
    import { finishing } from ${JSON.stringify(module)};
    import { appendFileSync } from "node:fs";
    finishing(() => {
      appendFileSync(${JSON.stringify(path)}, "one ");
      process.kill(process.pid, "${signal}");
      for (const until = Date.now() + 100; Date.now() < until; );
      appendFileSync(${JSON.stringify(path)}, "two");
    });
    setTimeout(() => {}, 5000);
  `;
    const { status } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program]);
    expect([status, readFileSync(path, "utf8")]).toEqual([code, "one two"]);
  },
  60_000,
);

test("afterwards a signal ends the program as it ever did", () => {
  const program = `
    import { finishing } from ${JSON.stringify(module)};
    finishing(() => {});
    setTimeout(() => {
      process.kill(process.pid, "SIGTERM");
      for (;;);
    }, 50);
  `;
  const { signal } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program]);
  expect(signal).toBe("SIGTERM");
}, 60_000);
