import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { beforeAll, expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";

// docs/adding-an-op.md follows a real op: each line that it quotes stands in a file that its section names, and where it
// says that the compiler lists what is missing, the compiler does.

const markdown = readFileSync(join(root, "docs/adding-an-op.md"), "utf8");
const folders = [
  "src/ir/",
  "src/autodiff/",
  "src/codegen/",
  "src/backends/wasm/",
  "src/tensor/",
  "src/lowered/",
  "",
];
const normal = (text: string): string => text.replace(/\s+/g, " ").trim();

interface Quoted {
  readonly line: string;
  /** The files that the section names. */
  readonly files: readonly string[];
}

/** The file that a section means by a name, which may leave out its folder. */
function fileOf(name: string): string | null {
  for (const folder of folders) if (ts.sys.fileExists(join(root, folder + name))) return folder + name;
  return null;
}

const quoted: Quoted[] = markdown
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const names = [...section.matchAll(/[\w./-]+\.(?:ts|py)\b/g)].flatMap(([name]) => fileOf(name) ?? []);
    const blocks = [...section.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, text]) => text!);
    return blocks
      .flatMap((text) => text.split("\n").map((line) => normal(line.replace(/ {2,}\/\/.*$/, ""))))
      .filter((line) => line.length > 1)
      .map((line) => ({ line, files: [...new Set(names)] }));
  });

const linesOf = (file: string): string[] => readFileSync(join(root, file), "utf8").split("\n");
/** Where a file has a line, or, of several on one, the parts of it. */
const placeOf = (file: string, line: string): boolean => normal(linesOf(file).join(" ")).includes(line);

test.each(quoted)("$line stands in a file that its section names", ({ line, files }) => {
  expect(files.filter((file) => placeOf(file, line))).not.toEqual([]);
});

/** Rows of tables that are total: without one of them the sources do not compile. */
const rows = quoted.flatMap(({ line, files }) =>
  /^expm1: /.test(line) ? files.filter((file) => placeOf(file, line)).map((file) => ({ line, file })) : [],
);

let without: (file: string, line: string) => readonly ts.Diagnostic[];

beforeAll(() => {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config as object;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const changed = new Map<string, { version: number; text: string | null }>();
  const nameOf = (file: string) => join(root, file);
  const service = ts.createLanguageService({
    getScriptFileNames: () => ["src/index.ts", ...rows.map(({ file }) => file)].map(nameOf),
    getScriptVersion: (name) => String(changed.get(name)?.version ?? 0),
    getScriptSnapshot: (name) => {
      const text = changed.get(name)?.text ?? ts.sys.readFile(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  });
  without = (file, line) => {
    const name = nameOf(file);
    const version = (changed.get(name)?.version ?? 0) + 1;
    const text = linesOf(file)
      .filter((one) => normal(one) !== line)
      .join("\n");
    changed.set(name, { version, text });
    const found = [file, "src/ir/infer.ts"].flatMap((each) => service.getSemanticDiagnostics(nameOf(each)));
    changed.set(name, { version: version + 1, text: null });
    return found;
  };
}, 120_000);

test("as they are, the files compile", () => {
  for (const { file } of rows) expect(without(file, "no such line")).toEqual([]);
}, 120_000);

test.each(rows)(
  "without $line, $file does not compile, or what goes by it",
  ({ file, line }) => {
    expect(without(file, line).length).toBeGreaterThan(0);
  },
  60_000,
);
