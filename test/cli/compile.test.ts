import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../src/cli/compile.ts";
import { inFolder } from "../backends/native/child.ts";

const root = new URL("../../", import.meta.url).pathname;

/** Has a script compiled by what can run TypeScript; gives its status and what was printed. */
function compiled(folder: string, text: string, args: readonly string[], out: string) {
  const script = join(folder, "script.mjs");
  writeFileSync(script, text);
  const before = process.execArgv;
  process.execArgv = ["--import", `${root}node_modules/tsx/dist/loader.mjs`];
  const lines: string[] = [];
  try {
    return { status: compile(script, args, out, (line) => lines.push(line)), lines };
  } finally {
    process.execArgv = before;
  }
}

const computes = `
  const { randn } = await import("${root}src/index.ts");
  process.chdir("/");
  randn([3]).exp().sum().itemSync();
  process.exit(Number(process.argv[2]));
`;

test("a folder with anything else in it is refused before anything runs", () =>
  inFolder((folder) => {
    const out = join(folder, "out");
    mkdirSync(out);
    writeFileSync(join(out, "thesis.txt"), "");
    expect(() => compiled(folder, "", [], out)).toThrow(
      /holds thesis\.txt, which is no kernel; name a folder of its own/,
    );
    expect(readdirSync(out)).toEqual(["thesis.txt"]);
  }));

test("kernels are reported, more may follow, and the script's status is passed on", { timeout: 60_000 }, () =>
  inFolder((folder) => {
    const out = join(folder, "out");
    const first = compiled(folder, computes, ["0"], out);
    expect(first.status).toBe(0);
    const kernels = readdirSync(out).filter((name) => name.endsWith(".so"));
    expect(first.lines.join("\n")).toMatch(
      new RegExp(`^${kernels.length} kernels in ${out} \\([\\d.]+ MiB\\), by `),
    );
    expect(first.lines.join("\n")).toContain(`THAW_KERNELS=${out} uses them, without a compiler.`);
    const failed = compiled(folder, computes.replace(".exp()", ".tanh()"), ["3"], out);
    expect(failed.status).toBe(3);
    expect(failed.lines.join("\n")).toContain("ended with status 3");
    expect(readdirSync(out).length).toBeGreaterThan(kernels.length + 1);
  }),
);

test("a script that computes nothing leaves nothing, and says so", { timeout: 60_000 }, () =>
  inFolder((folder) => {
    const { status, lines } = compiled(folder, "", [], join(folder, "out"));
    expect({ status, lines }).toEqual({
      status: 1,
      lines: [expect.stringContaining("has computed nothing")],
    });
  }),
);
