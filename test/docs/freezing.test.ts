import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { claims, page, problemOf, tableClaims } from "../../scripts/claims.ts";
import { difference } from "../../scripts/same-text.ts";
import { root } from "../../scripts/sources.ts";
import { isBroad } from "../breadth.ts";
import { built } from "../built.ts";
import { blocksOf } from "../readme/blocks.ts";
import { typeErrorsOf } from "../readme/programs.ts";

// What docs/freezing.md claims of JavaScript is tried, and printed as it says there; what it claims of Python systems
// has a script.

const blocks = blocksOf("docs/freezing.md");
const programs = blocks.flatMap((block, i) =>
  block.language === "ts" ? [{ ...block, output: blocks[i + 1]! }] : [],
);
const scripts = readdirSync(join(root, "docs/freezing")).filter((file) => file !== "requirements.txt");
/** What peers do in 10,000 steps takes long: where tests are broad. */
const takesLong = (command: string): boolean => command.includes("jax-js-masked-rows");
const inNode = [...claims, ...tableClaims].filter(
  ({ command }) => command.startsWith("node ") && (isBroad || !takesLong(command)),
);

describe("programs in TypeScript", () => {
  let folder: string;
  let files: string[];
  // Inside the repository, so that "thaw" means its sources there, as in examples/.
  beforeAll(() => {
    folder = mkdtempSync(join(root, "test/docs/tmp-"));
    files = programs.map(({ line, text }) => {
      const file = join(folder, `line-${line}.ts`);
      writeFileSync(file, text);
      return file;
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("are right in their types", () => {
    const scripts = ["thaw-table.ts", "thaw-devices.ts"].map((file) => join(root, "docs/freezing", file));
    expect(typeErrorsOf([...files, ...scripts])).toEqual([]);
  }, 60_000);

  test.each(programs)("the one on line $line prints what is shown", async ({ line, output }) => {
    let printed = "";
    const log = vi.spyOn(console, "log").mockImplementation((...args) => {
      printed += `${format(...args)}\n`;
    });
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    try {
      await import(join(folder, `line-${line}.ts`));
    } finally {
      log.mockRestore();
      warn.mockRestore();
    }
    expect(output.language).toBe("text");
    expect(difference(printed, output.text)).toBeNull();
  });
});

test("what the page links to is there", () => {
  const links = [...page.matchAll(/\]\((?!https:)([^)#]+)/g)].map((m) => m[1]!);
  expect(links.filter((link) => !existsSync(join(root, "docs", link)))).toEqual([]);
});

describe("scripts", () => {
  test("are each named in the page, and each that it names is there", () => {
    const named = new Set([...page.matchAll(/\bfreezing\/([\w-]+\.(?:py|mjs|ts))/g)].map((m) => m[1]!));
    expect([...named].sort()).toEqual(scripts.sort());
    for (const { command } of claims) {
      const file = command.split(" ").find((word) => /\.(py|mjs|ts)$/.test(word))!;
      expect(existsSync(join(root, file)), file).toBe(true);
    }
    expect(claims.length).toBe(blocks.filter(({ language }) => language === "sh").length);
  });

  // The peers are those of the benchmark; ranks run what is built.
  beforeAll(() => {
    built("cli/main.js");
    if (!existsSync(join(root, "bench/node_modules")))
      execFileSync("npm", "ci --ignore-scripts --no-audit --no-fund --prefix bench".split(" "), {
        cwd: root,
      });
  }, 300_000);

  test.each(inNode)("$command", async (claim) => expect(await problemOf(claim)).toBeNull(), 120_000);
});
