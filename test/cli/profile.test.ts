import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { inFolder } from "../backends/native/child.ts";
import { built } from "../built.ts";

const limit = { timeout: 120_000 };

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line as a user does. */
function profile(...args: string[]): Promise<Outcome> {
  const command = [join(root, "src/cli/main.ts"), "profile", ...args];
  return new Promise((resolve) => {
    execFile(join(root, "node_modules/.bin/tsx"), command, { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const scriptIn = (folder: string, text: string): string => {
  const script = join(folder, "script.mts");
  writeFileSync(script, text);
  return script;
};

test("a script with arguments: its own lines, a table, a trace", limit, () =>
  inFolder(async (folder) => {
    const script = scriptIn(
      folder,
      `import { randn } from "${root}src/index.ts";
      const size = Number(process.argv[2]);
      const x = randn([size, size]);
      // Not awaited: what ends after the script's last line counts too.
      setTimeout(() => console.log("sum", x.matmul(x).sum().itemSync()), 10);`,
    );
    const trace = join(folder, "trace.json");
    const { code, stdout, stderr } = await profile(script, "--trace", trace, "--", "40");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^sum -?[\d.]+\nkind +extents/);
    expect(stdout).toMatch(/^contract +\[40, 40, 40\] +1 /m);
    expect(stdout).toMatch(/^1 call, .* this machine: [\d.]+ GFLOP\/s, [\d.]+ GB\/s$/m);
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8"));
    expect(traceEvents.map(({ cat }: { cat: string }) => cat)).toContain("contract");
  }),
);

test(
  "a script that computes nothing, one that fails, one that is not there, a trace that cannot be",
  limit,
  () =>
    inFolder(async (folder) => {
      const trace = join(folder, "trace.json");
      const idle = await profile(scriptIn(folder, "console.log('idle');"), "--trace", trace);
      expect(idle).toMatchObject({ code: 0, stdout: expect.stringContaining("has computed nothing") });
      expect(existsSync(trace)).toBe(false);
      const failing = await profile(scriptIn(folder, "throw new Error('out of luck');"));
      expect(failing).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringContaining("out of luck"),
      });
      const nowhere = join(folder, "nowhere", "trace.json");
      const computing = `import { randn } from "${root}src/index.ts"; randn([3]).sum().itemSync();`;
      const unwritable = await profile(scriptIn(folder, computing), "--trace", nowhere);
      expect(unwritable).toMatchObject({ code: 1, stderr: expect.stringContaining(nowhere) });
      expect(unwritable.stdout).toMatch(/^1 call, /m);
      const missing = await profile(join(folder, "missing.ts"));
      expect(missing).toMatchObject({ code: 1, stderr: `thaw: There is no ${join(folder, "missing.ts")}\n` });
    }),
);

/** Runs the built command line on this Node, as users do. */
const builtProfile = (cwd: string, ...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    const env = { ...process.env, NODE_OPTIONS: "", THAW_BACKEND: "wasm" };
    const command = [built("cli/main.js"), "profile", ...args];
    execFile(process.execPath, command, { cwd, env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

/** A folder with a script in TypeScript, which imports another file, and which has some packages. */
function typescriptIn(folder: string, packages: readonly string[]): string {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  for (const name of packages)
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  writeFileSync(join(folder, "size.ts"), "export type Size = number;\nexport const size: Size = 40;\n");
  const script = join(folder, "script.ts");
  writeFileSync(
    script,
    `import { size, type Size } from "./size.ts";
    const { randn } = await import("${built("index.js")}");
    const n = size as Size satisfies number;
    console.log(process.argv.slice(2).join(), typeof randn([n, n]).matmul(randn([n, n])).sum().itemSync());
    process.exitCode = 3;`,
  );
  return script;
}

// This Node runs it by itself, by its flag, or by what the project has.
test.each([["typescript"], ["esbuild"], ["tsx"]])("TypeScript, in a project with %s", limit, (name) =>
  inFolder(async (folder) => {
    typescriptIn(folder, [name]);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const { code, stdout, stderr } = await builtProfile(folder, "script.ts", "--", "a", "b");
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(stdout).toMatch(/^a,b number\nkind +extents +equal/);
    expect(stdout).toMatch(/^contract +\[40, 40, 40\] +1 +1 /m);
  }),
);
