import ts from "typescript";
import { checkLayerDocs, layerDocs } from "./layer-docs.ts";
import { isMain, readSources, report, type Sources } from "./sources.ts";

/** Every exported declaration without a docstring, one line each. Of overloads, one must have it. */
export function checkDocs(sources: Sources): string[] {
  const problems: string[] = [];
  for (const [file, text] of sources) {
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    const exported = exportedNames(source);
    /** Line of the first declaration of each exported name, and whether one of its declarations is documented. */
    const declared = new Map<string, { line: number; documented: boolean }>();
    for (const statement of source.statements) {
      for (const name of declaredNames(statement)) {
        if (!exported.has(name) && !hasExportKeyword(statement)) continue;
        const line = source.getLineAndCharacterOfPosition(statement.getStart()).line + 1;
        const entry = declared.get(name) ?? { line, documented: false };
        entry.documented ||= hasDocstring(statement);
        declared.set(name, entry);
      }
    }
    for (const [name, { line, documented }] of declared) {
      if (!documented) problems.push(`src/${file}:${line}: ${name} is exported without a docstring`);
    }
  }
  return problems;
}

/** Local names that `export { name }` or `export default name` exports. */
function exportedNames(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of source.statements) {
    if (ts.isExportAssignment(statement) && ts.isIdentifier(statement.expression)) {
      names.add(statement.expression.text);
    }
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier !== undefined) continue;
    if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) continue;
    for (const { name, propertyName } of statement.exportClause.elements)
      names.add((propertyName ?? name).text);
  }
  return names;
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap((declaration) => boundNames(declaration.name));
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  ) {
    return [statement.name?.text ?? "default"];
  }
  // `export default <expression>`; a name there is declared, and checked, elsewhere.
  if (ts.isExportAssignment(statement)) return ts.isIdentifier(statement.expression) ? [] : ["default"];
  return [];
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

function hasExportKeyword(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true;
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  return modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

function hasDocstring(statement: ts.Statement): boolean {
  return ts.getJSDocCommentsAndTags(statement).some((doc) => ts.isJSDoc(doc) && !!doc.comment);
}

if (isMain(import.meta.url)) {
  const sources = readSources();
  report("check-docs", [...checkDocs(sources), ...checkLayerDocs(layerDocs(sources))]);
}
