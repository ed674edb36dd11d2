import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { type InputOptions, type Plugin, rolldown } from "rolldown";
import { exportsOf, readSources, root } from "../sources.ts";
import { inNamespaces, rests } from "./namespaces.ts";

/**
 * What the library leaves to files of their own, beside the rests of namespaces: modules of functions, most of them
 * called seldom, by the names of the files. Node loads one when one of its functions is first called; a program that
 * imports thaw and computes nothing loads none, and the native backend lies where every computation begins.
 */
const parts: Readonly<Record<string, readonly string[]>> = {
  functions: [
    "tensor/cdist.ts",
    "tensor/erfinv.ts",
    "tensor/finfo.ts",
    "tensor/histc.ts",
    "tensor/linalg.ts",
    "tensor/mode.ts",
    "tensor/renorm.ts",
    "tensor/searching.ts",
    "tensor/stacking.ts",
    "tensor/tensordot.ts",
    "tensor/trapezoid.ts",
    "tensor/triangle-indices.ts",
    "tensor/unravel-index.ts",
    "tensor/vander.ts",
    "tensor/windows.ts",
  ],
  // What networks do that are more than layers one after another.
  operations: [
    "ir/attention.ts",
    "optim/finite.ts",
    "plan/lower-attention.ts",
    "tensor/operations/arithmetic.ts",
    "tensor/operations/hyperbolic.ts",
    "tensor/operations/indexing.ts",
    "tensor/operations/norm-slope.ts",
    "tensor/operations/normalization.ts",
    "tensor/operations/products.ts",
    "tensor/operations/sorting.ts",
  ],
  storage: ["base/storage/atomic.ts", "base/storage/files.ts", "base/storage/write-behind.ts"],
  // What kernels on disk do without.
  lowering: ["codegen/attention.ts", "codegen/axis.ts", "codegen/contract.ts", "codegen/loop.ts"],
  c: ["backends/native/peaks.ts", "backends/native/runtime-source.ts", "targets/c/kernel.ts"],
  wasm: ["backends/wasm/backend.ts"],
  steps: [
    "autodiff/backward.ts",
    "backends/native/backend.ts",
    "plan/build.ts",
    "backends/reference/backend.ts",
    "train/train-step.ts",
  ],
  files: [
    "checkpoint/base.ts",
    "checkpoint/contents.ts",
    "checkpoint/load.ts",
    "checkpoint/open.ts",
    "checkpoint/read.ts",
    "checkpoint/record.ts",
    "checkpoint/save.ts",
    "checkpoint/saving-group.ts",
    "checkpoint/transfer.ts",
    "checkpoint/write.ts",
    "checkpoint/places/download.ts",
    "checkpoint/places/indexed-db.ts",
    "checkpoint/places/opfs.ts",
    "checkpoint/places/url.ts",
    "nn/match-state.ts",
    "optim/state-dict.ts",
  ],
  ranks: ["distributed/current.ts", "distributed/mpi/run-mpi.ts", "distributed/threads/start-ranks.ts"],
  seldom: [
    "autodiff/narrow.ts",
    "backends/peaks.ts",
    "engine/call-site.ts",
    "engine/drift.ts",
    "engine/non-finite-text.ts",
    "engine/scope-text.ts",
    "freeze/changed.ts",
    "ir/evaluate.ts",
    "ir/lift.ts",
    "nn/bits.ts",
    "nn/change-dtypes.ts",
    "nn/cloned.ts",
    "nn/hooks.ts",
    "nn/init/special.ts",
    "nn/no-such-path.ts",
    "nn/scopes.ts",
    "optim/leak.ts",
    "optim/parameter-names.ts",
    "optim/replaced.ts",
    "plan/explain.ts",
    "plan/recomputed.ts",
    "tensor/checkpoint.ts",
    "tensor/format.ts",
    "tensor/operations/arrangement.ts",
    "tensor/operations/einsum.ts",
    "tensor/operations/groups.ts",
    "tensor/operations/inverse-trigonometric.ts",
    "tensor/operations/padding.ts",
    "tensor/operations/scans.ts",
    "tensor/operations/scattering.ts",
    "tensor/operations/solving.ts",
    "tensor/operations/statistics.ts",
    "train/audit-movement.ts",
    "train/diagnose.ts",
    "train/gradient-hook.ts",
    "train/tracker-state.ts",
  ],
  trainer: ["train/trainer/run-trainer.ts", "train/trainer/start-trainer.ts", "train/trainer/thread.ts"],
};

const src = join(root, "src");
const partsModule = join(root, "scripts/build/parts.ts");
/** What stands for a module of a part, and for a part. */
const stub = "\0stub:";
const facade = "\0part:";
/** The chunk of the part with steps: what several parts share lies there too, and its entry only names what that exports. */
const stepsChunk = "steps-and-plans";
/** The chunk that a part is loaded by, as each further file takes half a millisecond. */
const chunkOf = (part: string): string => (part === "steps" ? stepsChunk : part);

/** All parts: their names, and the modules that stand for them. */
const facades: ReadonlyMap<string, string> = new Map([
  ...Object.keys(parts).map((name) => [name, facade + name] as const),
  ...rests,
]);

const partOf = (file: string): string | undefined =>
  Object.keys(parts).find((name) => parts[name]!.includes(file));

/** The functions that a module of src/ exports. */
async function functionsOf(file: string): Promise<string[]> {
  const exported = Object.entries(await exportsOf(file));
  const other = exported.find(([, value]) => typeof value !== "function" || /^class\b/.test(`${value}`));
  if (other) throw new Error(`${file} exports ${other[0]}, which is no function`);
  return exported.map(([name]) => name);
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
  async load(id) {
    const from = (file: string) => `from ${JSON.stringify(file)};`;
    if (id.startsWith(facade))
      return parts[id.slice(facade.length)]!.map((file) => `export * ${from(join(src, file))}`).join("\n");
    if (!id.startsWith(stub)) return null;
    const file = id.slice(stub.length);
    return [
      `import { part } ${from(partsModule)}`,
      ...(await functionsOf(file)).map(
        (f) => `export const ${f} = (...args) => part("${chunkOf(partOf(file)!)}").${f}(...args);`,
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
  plugins: [inNamespaces, inParts],
  transform: { define: { THAW_GENERATOR: JSON.stringify(generator) } },
  // How long a build has taken says nothing of what it has made, and a machine may have other things to do.
  checks: { bundlerTimings: false },
  onLog(_, log) {
    throw new Error(log.message);
  },
});

/** The modules that an entry needs while parts, other than it, are not loaded. */
async function neededBy(entry: string): Promise<ReadonlySet<string>> {
  // Whole modules: what programs use of one must lie where it lies.
  const bundle = await rolldown({ ...options({ entry }), treeshake: false });
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
  const atOnce = await neededBy("src/index.ts");
  const needed = await Promise.all(Object.keys(parts).map((name) => neededBy(facade + name)));
  const forSteps = needed[Object.keys(parts).indexOf("steps")]!;
  const isShared = (id: string) => needed.filter((ids) => ids.has(id)).length > 1;
  const bundle = await rolldown(
    options({
      ...input,
      ...Object.fromEntries(programs.map((entry) => [entry, `src/${entry}.ts`])),
      ...Object.fromEntries(Array.from(facades, ([name, id]) => [`chunks/${name}`, id])),
      "chunks/provide": partsModule,
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
    minify: { compress: true, mangle: { toplevel: false, keepNames: true }, codegen: true },
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
        { name: "thaw", priority: 1, test: (id) => atOnce.has(id) },
        // Every computation loads it, so what parts share is in it too.
        { name: stepsChunk, test: (id) => forSteps.has(id) || isShared(id) },
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
  const steps = output.find((file) => file.fileName === "chunks/steps.js");
  if (steps?.type !== "chunk" || !/^export\{[\w,]+\}from"\.\/steps-and-plans\.js";\s*$/.test(steps.code))
    throw new Error("dist/chunks/steps.js does more than to name what steps-and-plans.js exports");
  rmSync(join(root, "dist", steps.fileName));
  // Not a module of the bundle: one that imported parts would take them out of their entries' files.
  const loading = [...facades.keys()].map(
    (part, i) =>
      `import * as part${i} from "./${chunkOf(part)}.js";\nprovide("${chunkOf(part)}", part${i});\n`,
  );
  writeFileSync(
    join(root, "dist/chunks/all-parts.js"),
    `import { provide } from "./provide.js";\n${loading.join("")}`,
  );
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
