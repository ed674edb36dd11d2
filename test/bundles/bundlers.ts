import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { root } from "../../scripts/sources.ts";

/** How a bundler is asked: files that it wants, beside `main.js`, and a command that leaves a program in `out/`. */
interface Bundler {
  readonly files: Readonly<Record<string, string>>;
  /** Arguments of Node. */
  readonly command: readonly string[];
  /** The folder of the bundle, where it cannot be `out`. */
  readonly out?: string;
}

const page = '<!doctype html><title></title><script type="module" src="./main.js"></script>\n';

/** The bundlers, for browsers unless their name says `node`, each as its own documentation has it, and minifying. */
export const bundlers: Readonly<Record<string, Bundler>> = {
  esbuild: {
    files: {
      "build.js": `import { build } from "esbuild";
await build({ entryPoints: ["main.js"], bundle: true, minify: true, format: "esm", outfile: "out/main.js" });`,
    },
    command: ["build.js"],
  },
  "esbuild for node": {
    files: {
      "build.js": `import { build } from "esbuild";
await build({ entryPoints: ["main.js"], bundle: true, minify: true, format: "esm", platform: "node", outfile: "out/main.mjs" });`,
    },
    command: ["build.js"],
  },
  vite: {
    files: {
      "index.html": page,
      "build.js": `import { build } from "vite";
await build({ logLevel: "warn", base: "./", build: { outDir: "out" } });`,
    },
    command: ["build.js"],
  },
  rollup: {
    files: {
      "build.js": `import { nodeResolve } from "@rollup/plugin-node-resolve";
import { rollup } from "rollup";
const bundle = await rollup({ input: "main.js", plugins: [nodeResolve({ browser: true })] });
await bundle.write({ file: "out/main.js", format: "es" });`,
    },
    command: ["build.js"],
  },
  webpack: {
    files: {
      "build.js": `import { promisify } from "node:util";
import webpack from "webpack";
const stats = await promisify(webpack)({ mode: "production", entry: "./main.js", output: { path: process.cwd() + "/out", filename: "main.js" }, performance: { hints: false } });
if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());`,
    },
    command: ["build.js"],
  },
  parcel: {
    files: { "index.html": page },
    command: [
      "node_modules/parcel/lib/bin.js",
      "build",
      "index.html",
      "--dist-dir",
      "out",
      "--public-url",
      "./",
      "--no-cache",
      "--cache-dir",
      "cache",
      "--no-source-maps",
    ],
  },
  next: {
    files: {
      "pages/index.js": `import { useEffect } from "react";
export default function Page() {
  useEffect(() => {
    import("../main.js");
  }, []);
  return null;
}`,
      "next.config.js": `export default { output: "export", distDir: "out", turbopack: { root: process.cwd() + "/.." } };`,
    },
    command: ["node_modules/next/dist/bin/next", "build"],
  },
};

/** What came of a build: the folder of the bundle, and what its scripts weigh with gzip, in bytes. */
export interface Built {
  readonly folder: string;
  readonly bytes: number;
  remove(): void;
}

/** Builds a program with a bundler of `tools/node_modules`, from the package as `npm pack` makes it. */
export async function bundle(name: string, tools: string, program: string): Promise<Built> {
  const { files, command, out = "out" } = bundlers[name]!;
  const folder = mkdtempSync(join(tools, ".bundle-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    };
    write("package.json", JSON.stringify({ name: "app", private: true, type: "module" }));
    // Ours says that thaw is src/. Next would install what one in TypeScript needs.
    if (name !== "next") write("tsconfig.json", "{}");
    write("main.js", program);
    for (const [file, text] of Object.entries(files)) write(file, text);
    installThaw(join(folder, "node_modules/thaw"));
    const [script, ...args] = command;
    const at = script!.startsWith("node_modules/") ? join(tools, script!) : script!;
    const run = promisify(execFile);
    const env = { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1", PARCEL_WORKERS: "0" };
    await run(process.execPath, [at, ...args], { cwd: folder, env, maxBuffer: 1e8 });
    const scripts = filesIn(join(folder, out)).filter((file) => /\.m?js$/.test(file));
    for (const file of scripts) refusePaths(file, [folder, root]);
    const bytes = scripts.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
    return { folder: join(folder, out), bytes, remove };
  } catch (error) {
    remove();
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${name} does not build it\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Puts there what the package publishes and bundlers look at. */
function installThaw(at: string): void {
  mkdirSync(at, { recursive: true });
  cpSync(join(root, "package.json"), join(at, "package.json"));
  cpSync(join(root, "dist"), join(at, "dist"), {
    recursive: true,
    filter: (file) => !/\.(?:map|d\.ts|tsbuildinfo)$/.test(file),
  });
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Throws where a bundle names the place where it was made: that is nobody's business, and differs from build to build. */
function refusePaths(file: string, paths: readonly string[]): void {
  const text = readFileSync(file, "utf8");
  for (const path of paths)
    if (text.includes(path.replace(/\/$/, "")))
      throw new Error(`${relative(root, file)} names ${path}, a path of the machine that made it`);
}
