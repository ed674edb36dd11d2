import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, posix } from "node:path";
import ts from "typescript";
import { importPublicFolders, maxLines, mayImport, nodeOnly, packages } from "./import-rules.ts";
import { isMain, readSources, report, root, type Sources } from "./sources.ts";

/** Every breach of the import rules, one line each, in the order of the files. */
export function checkImports(sources: Sources, publicFolders: readonly string[]): string[] {
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, text] of sources) {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (lines > maxLines)
      problems.push(`src/${file}: ${lines} lines; split it, a file has at most ${maxLines}`);

    const targets: string[] = [];
    const { imports, builtin, relativeUrl } = scan(file, text);
    for (const { specifier, line } of imports) {
      const target = specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : null;
      const problem =
        target === null ? packageProblem(file, specifier) : fileProblem(file, target, publicFolders);
      if (problem !== null) problems.push(`src/${file}:${line}: ${problem}`);
      if (target !== null && sources.has(target)) targets.push(target);
    }
    if (relativeUrl !== null && file.split("/").length > 2) {
      problems.push(
        `src/${file}:${relativeUrl}: a URL relative to this file; only files one folder deep, as dist/chunks/ is, find the same there`,
      );
    }
    if (builtin !== null && !nodeOnly.some((pattern) => pattern.test(file))) {
      problems.push(
        `src/${file}:${builtin}: getBuiltinModule is not for this folder, which must run in a browser`,
      );
    }
    graph.set(file, targets);
  }
  for (const cycle of findCycles(graph)) problems.push(`src/${cycle[0]}: import cycle ${cycle.join(" → ")}`);
  return problems;
}

/** The folders that package.json exports as subpaths. */
export function exportedFolders(packageJson: { exports: Record<string, unknown> }): string[] {
  return Object.keys(packageJson.exports)
    .filter((path) => /^\.\/[a-z]+$/.test(path))
    .map((path) => path.slice(2));
}

interface Scan {
  imports: { specifier: string; line: number }[];
  /** The first line that names getBuiltinModule. */
  builtin: number | null;
  /** The first line that makes a URL relative to the file. */
  relativeUrl: number | null;
}

/** Finds what a file imports: statements, re-exports, `import type`, `import()` of values and of types. */
function scan(file: string, text: string): Scan {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const found: Scan = { imports: [], builtin: null, relativeUrl: null };
  const lineOf = (node: ts.Node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
  const visit = (node: ts.Node): void => {
    const specifier = importedModule(node);
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
      found.imports.push({ specifier: specifier.text, line: lineOf(specifier) });
    }
    const names = ts.isIdentifier(node) || ts.isStringLiteralLike(node);
    if (names && node.text === "getBuiltinModule") found.builtin ??= lineOf(node);
    if (ts.isNewExpression(node) && node.arguments?.[1]?.getText(source) === "import.meta.url")
      found.relativeUrl ??= lineOf(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function importedModule(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0];
  return undefined;
}

function packageProblem(file: string, specifier: string): string | null {
  if (isBuiltin(specifier)) return `imports ${specifier}; fetch it with process.getBuiltinModule instead`;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  const folders = packages[name];
  if (folders === undefined) return `imports the package ${name}, which no folder may`;
  return folders.includes(folderOf(file))
    ? null
    : `imports the package ${name}; only ${folders.join(", ")} may`;
}

function fileProblem(file: string, target: string, publicFolders: readonly string[]): string | null {
  if (target.startsWith("..")) return `imports ${target}, outside src/`;
  const from = folderOf(file);
  const to = folderOf(target);
  const [mine, other] = [oneOf(from, file), oneOf(to, target)];
  if (from === to && mine !== null && other !== null && mine !== other)
    return `the ${from === "targets" ? "target" : "backend"} ${mine} imports its sibling ${other}; share it through codegen/`;
  if (from !== "backends" && to === "backends" && other !== null)
    return `imports backends/${other}/; outside backends/ only its own files (contract, registry) are known`;
  if (from === to || to === "base") return null;
  const allowed = from === "" || importPublicFolders.includes(from) ? publicFolders : mayImport[from];
  if (allowed === undefined) return `the folder ${from}/ has no row in scripts/import-rules.ts`;
  return allowed.includes(to) ? null : `${from || "src"}/ may not import ${to || "src"}/ (${target})`;
}

/** The first part of a path, or "" for a file of src/ itself. */
const folderOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");

/** The backend or target whose folder a file is in: "wasm" for backends/wasm/backend.ts; null elsewhere. */
const oneOf = (folder: string, file: string): string | null =>
  folder === "backends" || folder === "targets" ? (/^[a-z]+\/([^/]+)\//.exec(file)?.[1] ?? null) : null;

/** One cycle for every import that closes one, found depth first; each starts and ends with the same file. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (done.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push([...path.slice(start), file]);
      return;
    }
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}

if (isMain(import.meta.url)) {
  const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  report("check-imports", checkImports(readSources(), exportedFolders(packageJson)));
}
