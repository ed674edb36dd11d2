/** What runs TypeScript already, where it is among Node's options: a user's, or those of here. */
const runners =
  /\b(tsx|ts-node|jiti|tsimp|swc-node|esbuild-register)\b|(strip|transform)-types|thaw-typescript/;

/** What can compile TypeScript, by its package, as a function of a source, its path and whether it is CommonJS. */
const compilers = {
  typescript: `(ts, source, path, commonjs) => ts.transpileModule(source, { fileName: path, compilerOptions: {
    target: ts.ScriptTarget.ES2022, module: commonjs ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
    verbatimModuleSyntax: !commonjs, experimentalDecorators: false, inlineSourceMap: true } }).outputText`,
  esbuild: `(esbuild, source, path, commonjs) => esbuild.transformSync(source, { loader: "ts", sourcefile: path,
    target: "es2022", format: commonjs ? "cjs" : "esm", sourcemap: "inline" }).code`,
};

/**
 * Options with which Node runs a script that is in TypeScript, along with what it imports: none where it does so by
 * itself or the user has seen to it; else its own flag where it has one (22.6), or else what the script's project has for
 * that: typescript, esbuild or tsx. Null where there is nothing, and for a script that needs nothing, none.
 */
export function typescriptOptions(script: string): string[] | null {
  if (!/\.[cm]?ts$/.test(script)) return [];
  const { features, versions, env, execArgv } = process;
  const given = [...execArgv, env.NODE_OPTIONS ?? ""].join(" ");
  // Types of older versions of Node do not have it.
  if ((features as { typescript?: string | false }).typescript || runners.test(given)) return [];
  const [major, minor] = versions.node.split(".").map(Number) as [number, number];
  if (major > 22 || (major === 22 && minor >= 6))
    return ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"];
  const { createRequire } = process.getBuiltinModule("node:module");
  const { dirname } = process.getBuiltinModule("node:path");
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  const { resolve } = createRequire(script);
  const found = (name: string): string | null => {
    try {
      return resolve(name, { paths: [dirname(script), process.cwd(), dirname(process.argv[1] ?? script)] });
    } catch {
      return null;
    }
  };
  for (const [name, compile] of Object.entries(compilers)) {
    const path = found(name);
    if (path !== null) return ["--import", dataUrl(registering(hooks(path, compile)))];
  }
  const tsx = found("tsx");
  return tsx === null ? null : ["--import", pathToFileURL(tsx).href];
}

/** What to do where Node runs no TypeScript and nothing that is there does. */
export const withoutTypescript = (script: string): string =>
  `Node ${process.versions.node} runs no TypeScript, and neither typescript, esbuild nor tsx is found from ${script}. ` +
  "Use Node 22.6 or later, which needs nothing else, or install one where the script is: npm install --save-dev tsx";

const dataUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

/** A module that has Node load files as another one, of this source, says. */
const registering = (source: string): string =>
  `import { register } from "node:module"; register(${JSON.stringify(dataUrl(source))});`;

/** A module whose `load` compiles what is TypeScript. */
const hooks = (compiler: string, compile: string): string => `// thaw-typescript
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
const compiler = createRequire(${JSON.stringify(compiler)})(${JSON.stringify(compiler)});
const compile = ${compile};
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    // As compilers take them: without an extension, or with the one that the compiled file would have.
    if (!/^[./]|^file:/.test(specifier)) throw error;
    const bare = specifier.replace(/\\.([cm]?)js$/, ".$1ts");
    for (const other of bare === specifier ? [specifier + ".ts", specifier + "/index.ts"] : [bare])
      try {
        return await next(other, context);
      } catch {}
    throw error;
  }
}
export async function load(url, context, next) {
  const kind = url.startsWith("file:") ? /\\.([cm]?)ts$/.exec(new URL(url).pathname) : null;
  if (kind === null) return next(url, context);
  const path = fileURLToPath(url);
  const commonjs = kind[1] === "c";
  const source = compile(compiler, readFileSync(path, "utf8"), path, commonjs);
  return { format: commonjs ? "commonjs" : "module", source, shortCircuit: true };
}`;
