import ts from "typescript";
import type { Sources } from "./sources.ts";

/** A class that `thaw/nn` exports, with what its docstring says. */
export interface LayerDoc {
  readonly name: string;
  /** `nn/linear.ts:16`. */
  readonly place: string;
  /** The docstring in one line; empty where there is none. */
  readonly text: string;
  /** The code of its example; null where there is none. */
  readonly example: string | null;
  /** Arguments of the constructor and options, but for those of an interface whose fields have docstrings. */
  readonly parameters: readonly string[];
}

/** All classes that `nn/index.ts` exports, by way of other files too. */
export function layerDocs(sources: Sources): LayerDoc[] {
  const parsed = new Map<string, ts.SourceFile>();
  const parse = (file: string): ts.SourceFile => {
    const found =
      parsed.get(file) ?? ts.createSourceFile(file, sources.get(file) ?? "", ts.ScriptTarget.Latest, true);
    parsed.set(file, found);
    return found;
  };
  const found = new Map<string, LayerDoc>();
  const collect = (file: string, wanted: ReadonlySet<string> | null): void => {
    for (const statement of parse(file).statements) {
      if (ts.isClassDeclaration(statement) && isExported(statement) && statement.name !== undefined) {
        const name = statement.name.text;
        if (wanted === null || wanted.has(name)) found.set(name, docOf(statement, name, file, parse));
      }
      const from = ts.isExportDeclaration(statement) ? statement.moduleSpecifier : undefined;
      if (from === undefined || !ts.isStringLiteral(from)) continue;
      const { exportClause } = statement as ts.ExportDeclaration;
      // A namespace holds functions: initialisers.
      if (exportClause !== undefined && !ts.isNamedExports(exportClause)) continue;
      const names = exportClause?.elements.map((e) => (e.propertyName ?? e.name).text);
      collect(resolved(file, from.text), names === undefined ? wanted : new Set(names));
    }
  };
  collect("nn/index.ts", null);
  return [...found.values()];
}

/** What the block of each class lacks, one line each. */
export function checkLayerDocs(docs: readonly LayerDoc[]): string[] {
  return docs.flatMap(({ name, place, text, example, parameters }) => {
    const lacks: string[] = [];
    if (!/^[^.]{3,}[.:]/.test(text) || /^Takes\b/.test(text))
      lacks.push("a first sentence that says what it computes");
    if (!/\b[Tt]akes\b/.test(text))
      lacks.push('"Takes …": its arguments and input, with shapes and defaults');
    if (!/\b[Gg]ives?\b/.test(text)) lacks.push('"gives …": its output, with the shape');
    if (!/\bThrows (nothing|`\w+Error`)/.test(text))
      lacks.push('"Throws `…Error` for …", or "Throws nothing"');
    if (!/\bSource: \S/.test(text)) lacks.push('"Source: …": the paper, and the name in PyTorch');
    if (example === null) lacks.push('"Example: `…`"');
    for (const parameter of parameters)
      if (!new RegExp(`\\b${parameter}\\b`).test(text)) lacks.push(`a word about its argument ${parameter}`);
    return lacks.map((what) => `src/${place}: the docstring of nn.${name} lacks ${what}`);
  });
}

const isExported = (node: ts.ClassDeclaration): boolean =>
  ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword) ?? false;

const resolved = (from: string, path: string): string => new URL(path, `file:///${from}`).pathname.slice(1);

function docOf(
  node: ts.ClassDeclaration,
  name: string,
  file: string,
  parse: (file: string) => ts.SourceFile,
): LayerDoc {
  const source = node.getSourceFile();
  const comment = ts.getJSDocCommentsAndTags(node).findLast(ts.isJSDoc)?.getText(source) ?? "";
  const lines = comment.replace(/^\/\*\*|\*\/$/g, "").replace(/^[ \t]*\* ?/gm, "");
  const [, fenced, inline] = /\bExample:\s*(?:```\w*\n([\s\S]*?)```|`([^`]+)`)/.exec(lines) ?? [];
  const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
  return {
    name,
    place: `${file}:${line}`,
    text: lines.replace(/\s+/g, " ").trim(),
    example: (fenced ?? inline)?.trim() ?? null,
    parameters: parametersOf(node, file, parse),
  };
}

/** Those of its own constructor, or of the class's that it extends. */
function parametersOf(
  node: ts.ClassDeclaration,
  file: string,
  parse: (file: string) => ts.SourceFile,
): string[] {
  const source = parse(file);
  const own = node.members.find(ts.isConstructorDeclaration);
  if (own !== undefined) return own.parameters.flatMap((p) => namesOf(p, source));
  const base = node.heritageClauses?.[0]?.types[0]?.expression;
  if (base === undefined || !ts.isIdentifier(base)) return [];
  const here = classIn(source, base.text);
  if (here !== undefined) return parametersOf(here, file, parse);
  const from = source.statements.find(
    (s): s is ts.ImportDeclaration =>
      ts.isImportDeclaration(s) &&
      (s.importClause?.namedBindings as Partial<ts.NamedImports> | undefined)?.elements?.some(
        (e) => e.name.text === base.text,
      ) === true,
  );
  if (from === undefined) return [];
  const other = resolved(file, (from.moduleSpecifier as ts.StringLiteral).text);
  const there = classIn(parse(other), base.text);
  return there === undefined ? [] : parametersOf(there, other, parse);
}

const classIn = (source: ts.SourceFile, name: string): ts.ClassDeclaration | undefined =>
  source.statements.find((s): s is ts.ClassDeclaration => ts.isClassDeclaration(s) && s.name?.text === name);

function namesOf(parameter: ts.ParameterDeclaration, source: ts.SourceFile): string[] {
  const { name, type } = parameter;
  const reference = type !== undefined && ts.isTypeReferenceNode(type) ? type.typeName.getText(source) : null;
  // Options of a named interface have docstrings of their own.
  if (reference !== null && /Options$/.test(reference)) return [];
  if (ts.isIdentifier(name)) {
    // Options of a literal type, or of one that adds to a named interface.
    const parts = type !== undefined && ts.isIntersectionTypeNode(type) ? type.types : [type];
    const literals = parts.filter((part) => part !== undefined && ts.isTypeLiteralNode(part));
    if (literals.length === 0) return [name.text];
    return literals.flatMap(({ members }) =>
      members.flatMap((m) => (m.name !== undefined ? [m.name.getText(source)] : [])),
    );
  }
  return name.elements.flatMap((e) =>
    ts.isBindingElement(e) ? [(e.propertyName ?? e.name).getText(source)] : [],
  );
}
