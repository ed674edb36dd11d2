import { join } from "node:path";
import type { Plugin } from "rolldown";
import { exportsOf, root } from "../sources.ts";

/**
 * What the library keeps of its namespaces, by the modules that export it. The rest of each is a part by the name of the
 * namespace, loaded when a program first takes one of its names from the namespace. A program that imports the namespace's
 * own entry, such as `thaw/nn`, loads all of it.
 */
const kept: Readonly<Record<string, readonly string[]>> = {
  data: [],
  nn: [
    "nn/activations.ts",
    "nn/dropout.ts",
    "nn/embedding.ts",
    "nn/functional-call.ts",
    "nn/layer-norm.ts",
    "nn/linear.ts",
    "nn/losses/binary-cross-entropy.ts",
    "nn/losses/cross-entropy.ts",
    "nn/losses/distance.ts",
    "nn/losses/kl-div.ts",
    "nn/losses/nll.ts",
    "nn/module.ts",
    "nn/sequential.ts",
    "tensor/buffer.ts",
    "tensor/parameter.ts",
  ],
  optim: ["optim/adam.ts", "optim/clip.ts", "optim/optimizer.ts", "optim/sgd.ts"],
};

const src = join(root, "src");
const index = join(src, "index.ts");
const partsModule = join(root, "scripts/build/parts.ts");

/** What stands for a namespace, for what is kept of one, and for the part that is the rest of one. */
const standIns = { namespace: "\0namespace:", kept: "\0kept:", rest: "\0rest:" };

/** Parts that are the rests of namespaces: their names, and the modules that stand for them. */
export const rests: ReadonlyMap<string, string> = new Map(
  Object.keys(kept).map((name) => [name, standIns.rest + name]),
);

const namesOf = async (file: string): Promise<string[]> => Object.keys(await exportsOf(file));

/** The names of a namespace, and those of them that are kept. */
async function namesIn(name: string): Promise<{ all: string[]; atOnce: ReadonlySet<string> }> {
  return {
    all: await namesOf(`${name}/index.ts`),
    atOnce: new Set((await Promise.all(kept[name]!.map(namesOf))).flat()),
  };
}

const from = (file: string): string => `from ${JSON.stringify(file)};`;

/** An object with the names of a namespace, which loads the rest of it when one of those is read. */
async function namespaceCode(name: string): Promise<string> {
  const { all, atOnce } = await namesIn(name);
  const getters = all.map((key) =>
    atOnce.has(key)
      ? `get ${key}() { return kept.${key}; },`
      : `get ${key}() { return part("${name}").${key}; },`,
  );
  return [
    `import { part } ${from(partsModule)}`,
    `import * as kept ${from(standIns.kept + name)}`,
    `export const ${name} = { ${getters.join("\n")} [Symbol.toStringTag]: "Module" };`,
  ].join("\n");
}

async function restCode(name: string): Promise<string> {
  const { all, atOnce } = await namesIn(name);
  return `export { ${all.filter((key) => !atOnce.has(key)).join(", ")} } ${from(join(src, name, "index.ts"))}`;
}

/** Has the library's index keep what it needs of its namespaces, and load the rests when they are needed. */
export const inNamespaces: Plugin = {
  name: "namespaces",
  resolveId: {
    order: "pre",
    handler: (specifier, importer) => {
      if (specifier.startsWith("\0")) return specifier;
      const name = importer === index ? /^\.\/(\w+)\/index\.ts$/.exec(specifier)?.[1] : undefined;
      return name !== undefined && name in kept ? standIns.kept + name : null;
    },
  },
  transform: {
    filter: { id: index },
    handler: (code) =>
      code.replace(/export \* as (\w+) from "[^"]*"/g, (text, name: string) =>
        name in kept ? `export { ${name} } from "${standIns.namespace.replace("\0", "\\0")}${name}"` : text,
      ),
  },
  load: {
    filter: { id: /^\0(?:namespace|kept|rest):/ },
    handler: async (id) => {
      const name = id.slice(id.indexOf(":") + 1);
      if (id.startsWith(standIns.namespace)) return namespaceCode(name);
      if (id.startsWith(standIns.rest)) return restCode(name);
      return kept[name]!.map((file) => `export * ${from(join(src, file))}`).join("\n");
    },
  },
};
