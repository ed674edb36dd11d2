import { join } from "node:path";
import ts from "typescript";
import { root } from "../../scripts/sources.ts";

/** A file of a user's that is only here: its imports are found as those of a test are. */
const name = join(root, "test/types/virtual.ts");

const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the compiler says of a user's file, and how many types it instantiates to check it. */
export function check(text: string): { messages: string[]; instantiations: number } {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  const has = host.fileExists.bind(host);
  host.fileExists = (file) => file === name || has(file);
  host.getSourceFile = (file, target) => {
    if (file === name) return ts.createSourceFile(file, text, target);
    if (!parsed.has(file)) parsed.set(file, read(file, target));
    return parsed.get(file);
  };
  const program = ts.createProgram([name], options, host);
  program.getTypeChecker();
  const before = program.getInstantiationCount();
  const messages = program
    .getSemanticDiagnostics(program.getSourceFile(name))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  return { messages, instantiations: program.getInstantiationCount() - before };
}

/** An editor with a file that begins with `start`; gives what it offers at the `|` in a line put behind that. */
export function editor(start: string): (line: string) => string[] {
  let text = start;
  let version = 0;
  const service = ts.createLanguageService({
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    getCompilationSettings: () => options,
    getScriptFileNames: () => [name],
    getScriptVersion: (file) => (file === name ? String(version) : "0"),
    getScriptSnapshot: (file) => {
      const read = file === name ? text : ts.sys.readFile(file);
      return read === undefined ? undefined : ts.ScriptSnapshot.fromString(read);
    },
    fileExists: (file) => file === name || ts.sys.fileExists(file),
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  });
  return (line) => {
    text = start + line.replace("|", "");
    version++;
    const found = service.getCompletionsAtPosition(name, start.length + line.indexOf("|"), undefined);
    return (found?.entries ?? []).map((entry) => entry.name);
  };
}
