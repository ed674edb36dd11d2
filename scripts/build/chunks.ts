import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { type InputOptions, type Plugin, rolldown } from "rolldown";
import { readSources, root } from "../sources.ts";

/**
 * What the library leaves to files of their own, two fifths of its code: modules of functions, most of them called
 * seldom, by the names of the files. Node loads one when one of its functions is first called; a program that imports
 * thaw and computes nothing loads none, and no program loads both native and wasm.
 */
const parts: Readonly<Record<string, readonly string[]>> = {
  native: ["backends/native/backend.ts"],
  wasm: ["backends/wasm/backend.ts"],
  steps: ["plan/build.ts", "backends/reference/backend.ts", "train/train-step.ts"],
  files: [
    "checkpoint/load.ts",
    "checkpoint/open.ts",
    "checkpoint/read.ts",
    "checkpoint/save.ts",
    "checkpoint/write.ts",
    "nn/match-state.ts",
    "optim/state-dict.ts",
  ],
  ranks: ["distributed/current.ts", "distributed/mpi/run-mpi.ts", "distributed/threads/start-ranks.ts"],
  seldom: [
    "autodiff/narrow.ts",
    "engine/non-finite-text.ts",
    "tensor/format.ts",
    "tensor/operations/arrangement.ts",
    "tensor/operations/einsum.ts",
    "tensor/operations/groups.ts",
    "tensor/operations/padding.ts",
    "tensor/operations/scans.ts",
    "tensor/operations/scattering.ts",
    "tensor/operations/solving.ts",
    "tensor/operations/statistics.ts",
    "train/diagnose.ts",
  ],
};

const src = join(root, "src");
const partsModule = join(root, "scripts/build/parts.ts");
/** What stands for a module of a part, for a part, and for all parts. */
const stub = "\0stub:";
const facade = "\0part:";
const allParts = "\0all-parts";

const partOf = (file: string): string | undefined =>
  Object.keys(parts).find((name) => parts[name]!.includes(file));

/** The functions that a module of src/ exports. */
function functionsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  if (/^export (?:abstract )?(?:class|let) /m.test(text))
    throw new Error(`${file} exports more than functions`);
  const found = text.matchAll(/^export (?:async )?(?:function\*?|const) (\w+)/gm);
  return [...new Set(Array.from(found, ([, name]) => name!))];
}

/** Puts functions that load their part first in place of those of parts. */
const inParts: Plugin = {
  name: "parts",
  resolveId: {
    order: "pre",
    handler(specifier, importer) {
      if (specifier.startsWith("\0")) return specifier;
      if (importer === undefined || importer.startsWith("\0")) return null;
      const file = relative(src, join(dirname(importer), specifier))
        .split(sep)
        .join("/");
      const name = partOf(file);
      const within = name === partOf(relative(src, importer).split(sep).join("/"));
      return name === undefined || within ? null : stub + file;
    },
  },
  load(id) {
    const from = (file: string) => `from ${JSON.stringify(file)};`;
    if (id.startsWith(facade))
      return parts[id.slice(facade.length)]!.map((file) => `export * ${from(join(src, file))}`).join("\n");
    if (id === allParts)
      return [
        `import { provide } ${from(partsModule)}`,
        ...Object.keys(parts).map((name, i) => `import * as part${i} ${from(facade + name)}`),
        ...Object.keys(parts).map((name, i) => `provide("${name}", part${i});`),
      ].join("\n");
    if (!id.startsWith(stub)) return null;
    const file = id.slice(stub.length);
    return [
      `import { part } ${from(partsModule)}`,
      ...functionsOf(file).map(
        (f) => `export const ${f} = (...args) => part("${partOf(file)}").${f}(...args);`,
      ),
    ].join("\n");
  },
};

/** A digest of the sources: kernels on disk are known by what wrote them (src/targets/c/generator.ts). */
const generator = createHash("sha256")
  .update([...readSources()].map(([file, text]) => `${file}\0${text}`).join("\0"))
  .digest("hex")
  .slice(0, 32);

/** What all builds of chunks have in common. */
const options = (input: Record<string, string>): InputOptions => ({
  cwd: root,
  input,
  external: /^[^./\0]/,
  platform: "neutral",
  preserveEntrySignatures: "allow-extension",
  plugins: [inParts],
  transform: { define: { THAW_GENERATOR: JSON.stringify(generator) } },
  onLog(_, log) {
    throw new Error(log.message);
  },
});

/** Modules that are needed before anything is called: those that the library imports while parts are not loaded. */
async function neededAtOnce(input: Record<string, string>): Promise<ReadonlySet<string>> {
  // Whole modules: what programs use of one must lie where it lies.
  const bundle = await rolldown({ ...options(input), treeshake: false });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return new Set(output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : [])));
}

/**
 * Builds dist/chunks/ and the files that name what the chunks export: dist/node/ for Node, which loads parts when they
 * are called, and the same in dist/ for whoever cannot, where all are loaded at once.
 */
export async function buildChunks(library: readonly string[], programs: readonly string[]): Promise<void> {
  const input = Object.fromEntries(library.map((entry) => [`node/${entry}`, `src/${entry}.ts`]));
  const atOnce = await neededAtOnce(input);
  const bundle = await rolldown(
    options({
      ...input,
      ...Object.fromEntries(programs.map((entry) => [entry, `src/${entry}.ts`])),
      ...Object.fromEntries(Object.keys(parts).map((name) => [`chunks/${name}`, facade + name])),
      "chunks/all-parts": allParts,
    }),
  );
  const { output } = await bundle.write({
    dir: "dist",
    format: "esm",
    entryFileNames: "[name].js",
    // One folder deep: what a file names relative to itself is found from src/ and from here (scripts/check-imports.ts).
    chunkFileNames: "chunks/[name].js",
    sourcemap: true,
    // src/ is published too.
    sourcemapExcludeSources: true,
    // V8 goes through all of it at every start. Names stay: stacks are read by people, and by engine/call-site.ts.
    comments: false,
    minify: { compress: true, mangle: false, codegen: true },
    minifyInternalExports: false,
    // Errors and reports name classes.
    keepNames: true,
    // Programs of package.json run on versions of Node, too, that cannot require ES modules.
    intro: ({ name }) =>
      programs.includes(name)
        ? 'if (!process.features.require_module) await import("../chunks/all-parts.js");'
        : "",
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        { name: "thaw", priority: 2, test: (id) => atOnce.has(id) },
        { name: "native-backend", priority: 1, test: /\/src\/(?:backends\/native|codegen\/c|targets\/c)\// },
        { name: "wasm-backend", priority: 1, test: /\/src\/(?:backends|targets)\/wasm\// },
        { name: "file-formats", priority: 1, test: /\/src\/(?:base|checkpoint|nn|optim)\// },
        { name: "steps-and-operations", test: /\/src\/(?!cli\/)/ },
      ],
    },
  });
  await bundle.close();
  // What it imported would be loaded with it.
  const thaw = output.find((file) => file.type === "chunk" && file.name === "thaw");
  const imports = (thaw?.type === "chunk" ? thaw.imports : []).filter(
    (file) => !/rolldown-runtime/.test(file),
  );
  if (thaw === undefined || imports.length > 0)
    throw new Error(`dist/chunks/thaw.js is not there, or imports parts: ${imports.join(", ")}`);
  for (const entry of library) {
    const at = join(root, "dist", `${entry}.js`);
    mkdirSync(dirname(at), { recursive: true });
    const [all, names] = ["chunks/all-parts.js", `node/${entry}.js`].map((file) => relativeTo(entry, file));
    writeFileSync(at, `import ${all};\nexport * from ${names};\n`);
  }
}

/** A file of dist/ as an entry of dist/ imports it. */
function relativeTo(entry: string, file: string): string {
  const path = posix.relative(posix.dirname(entry), file);
  return JSON.stringify(path.startsWith(".") ? path : `./${path}`);
}
