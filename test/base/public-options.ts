import { join } from "node:path";
import ts from "typescript";
import { root } from "../../scripts/sources.ts";

/** A public function, or a constructor (`new …`), and at which place among its arguments its options are. */
export interface TakesOptions {
  readonly name: string;
  readonly at: number;
}

const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const entries = ["src/index.ts", "src/models/index.ts", "src/testing/index.ts"];
const program = ts.createProgram(
  entries.map((entry) => join(root, entry)),
  options,
);
const types = program.getTypeChecker();

/** All that an entry exports, also in its namespaces, that takes an object of which some properties may be left out. */
export function publicOptions(entry: string): TakesOptions[] {
  const found = new Map<string, TakesOptions>();
  const seen = new Set<ts.Symbol>();

  const areOptions = (given: ts.Type): boolean => {
    const type = types.getNonNullableType(given);
    return (type.isUnion() ? type.types : [type]).some(
      (part) =>
        (part.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) !== 0 &&
        !types.isArrayLikeType(part) &&
        part.getCallSignatures().length === 0 &&
        part.getConstructSignatures().length === 0 &&
        // Instances of classes have optional properties too.
        !(part.isIntersection() ? part.types : [part]).some((one) => one.isClass()) &&
        types.getIndexInfosOfType(part).length === 0 &&
        part.getProperties().some((property) => (property.flags & ts.SymbolFlags.Optional) !== 0),
    );
  };
  const look = (name: string, signatures: readonly ts.Signature[]): void => {
    for (const signature of signatures)
      for (const [at, parameter] of signature.getParameters().entries())
        if (areOptions(types.getTypeOfSymbol(parameter))) found.set(`${name} ${at}`, { name, at });
  };
  const isOurs = (symbol: ts.Symbol): boolean =>
    symbol.declarations?.every((d) => !d.getSourceFile().fileName.includes("/node_modules/")) ?? false;
  const visit = (prefix: string, exported: ts.Symbol): void => {
    const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
    const symbol = alias ? types.getAliasedSymbol(exported) : exported;
    const name = prefix + exported.name;
    if ((symbol.flags & ts.SymbolFlags.Value) === 0 || seen.has(symbol)) return;
    seen.add(symbol);
    if ((symbol.flags & ts.SymbolFlags.Module) !== 0) {
      for (const member of types.getExportsOfModule(symbol)) visit(`${name}.`, member);
      return;
    }
    const type = types.getTypeOfSymbol(symbol);
    look(name, type.getCallSignatures());
    look(`new ${name}`, type.getConstructSignatures());
    if ((symbol.flags & ts.SymbolFlags.Class) === 0) return;
    for (const member of type.getProperties())
      if (isOurs(member)) look(`${name}.${member.name}`, types.getTypeOfSymbol(member).getCallSignatures());
  };
  const source = program.getSourceFile(join(root, entry))!;
  for (const exported of types.getExportsOfModule(types.getSymbolAtLocation(source)!)) visit("", exported);
  return [...found.values()];
}
