import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { type ESTree, parseSync, transformSync } from "rolldown/utils";
import { readSources, root } from "../sources.ts";

/** The two modules that `#native` of package.json may be: that of Node, and what browsers have in its place. */
const nativeModules = ["backends/native/backend.ts", "backends/native/absent.ts"];

/**
 * Writes dist/modules/: a file for each module that the entries import. Bundlers drop whole files, and of the others what
 * they can tell has no effects; so calls that only make the value of a constant say that they are pure.
 */
export function writeModules(entries: readonly string[]): void {
  const sources = readSources();
  const waiting = [...entries.map((entry) => `${entry}.ts`), ...nativeModules];
  const written = new Set<string>();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (written.has(file)) continue;
    written.add(file);
    const code = moduleOf(file, sources.get(file)!);
    for (const specifier of importsOf(file, code))
      if (specifier.startsWith("."))
        waiting.push(posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts"));
    const at = join(root, "dist/modules", file.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, code);
  }
}

/** A file of src/ as JavaScript for bundlers. */
function moduleOf(file: string, source: string): string {
  const { code, errors } = transformSync(file, source, {
    target: "es2023",
    typescript: { onlyRemoveTypeImports: true, rewriteImportExtensions: "rewrite" },
    // Bundlers put the place of the file there, on the machine that bundles; and some install a stand-in for `process`.
    define: { "import.meta.url": "undefined", process: "globalThis.process" },
  });
  if (errors.length > 0) throw new Error(errors[0]!.message);
  // A browser has no THAW_VERIFY, so that bundles need no verifiers.
  const marked = withPureCalls(file, code.replaceAll("settings.verify", "false"));
  // package.json says whether there is native code.
  return file === "backends/registry.ts" ? marked.replace('"./native/backend.js"', '"#native"') : marked;
}

const programOf = (file: string, code: string): ESTree.Program =>
  parseSync(file.replace(/\.ts$/, ".js"), code).program;

function importsOf(file: string, code: string): string[] {
  return programOf(file, code).body.flatMap((statement) =>
    "source" in statement && statement.source !== null ? [statement.source.value] : [],
  );
}

/** Marks calls in the initial values of a module's constants; those in functions run when the functions are called. */
function withPureCalls(file: string, code: string): string {
  const starts: number[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    if (typeof value !== "object" || value === null || !("type" in value)) return;
    const { type, start } = value as unknown as { type: string; start: number };
    if (/Function|Class/.test(type)) return;
    if (type === "CallExpression" || type === "NewExpression") starts.push(start);
    for (const child of Object.values(value)) visit(child);
  };
  for (const statement of programOf(file, code).body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    if (declaration?.type === "VariableDeclaration") visit(declaration);
  }
  // From the end, so that positions before stay as they are.
  return [...new Set(starts)]
    .sort((a, b) => b - a)
    .reduce((text, at) => `${text.slice(0, at)}/* @__PURE__ */ ${text.slice(at)}`, code);
}
