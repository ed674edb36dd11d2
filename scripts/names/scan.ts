import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** How many files use each of PyTorch's names: `torch.cat`, `F.softmax`, `nn.Linear`, `nn.init.ones_`, `.view`. */
export type Counts = ReadonlyMap<string, number>;

/** Files that configure, convert or prepare, and generate others, though they lie among models. */
const others =
  /^(configuration|tokenization|processing|image_processing|video_processing|feature_extraction|convert|modular)_/;

/** Modules of PyTorch's, which stand for what is in them. */
const modules =
  /^(nn|functional|init|utils|rnn|parametrizations|parametrize|autograd|distributed|distributions|compiler|jit|hub|onnx|types|serialization|symbolic_\w+|graph|tensor|annotations|_functional_collectives|fusion|transformer|flex_attention|attention|amp|fft|linalg|special|constraints)$/;

/** Whether a file of a package, by its path, is one that defines models or their layers. */
export const isModelling = (path: string): boolean => {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (!name.endsWith(".py") || others.test(name) || /_(flax|tf)\.py$/.test(name)) return false;
  return (
    /(^|\/)(models|layers)\//.test(path) ||
    /^(modeling_\w+|activations|masking_utils|pytorch_utils)\.py$/.test(name)
  );
};

/** Counts names over the modelling files of folders. `methods` are those of PyTorch's tensors and modules. */
export function countNames(
  folders: readonly string[],
  methods: ReadonlySet<string>,
): { files: number; counts: Counts } {
  const counts = new Map<string, number>();
  let files = 0;
  for (const folder of folders)
    for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
      if (!isModelling(relative(folder, join(folder, path)).split(sep).join("/"))) continue;
      const names = namesIn(readFileSync(join(folder, path), "utf8"), methods);
      if (names.size > 0) files++;
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  return { files, counts };
}

/** PyTorch's names in the text of a Python file, each once. */
export function namesIn(python: string, methods: ReadonlySet<string>): Set<string> {
  const text = code(python);
  const found = new Set<string>();
  if (!/\b(torch|nn)\b/.test(text)) return found;
  const aliases = new Map([
    ["torch", "torch"],
    ["nn", "torch.nn"],
    ["F", "torch.nn.functional"],
    // transformers' own module of that name has PyTorch's functions, which leave loaded weights alone.
    ["init", "torch.nn.init"],
  ]);
  for (const [, module, alias] of text.matchAll(/^\s*import (torch(?:\.[\w.]+)?) as (\w+)/gm))
    aliases.set(alias!, module!);
  for (const [, module, list] of text.matchAll(/^\s*from (torch(?:\.[\w.]+)?) import (\([^)]*\)|[^\n]*)/gm))
    for (const part of list!.replace(/[()]/g, "").split(",")) {
      const [, name, alias] = /^\s*(\w+)(?:\s+as\s+(\w+))?\s*$/.exec(part) ?? [];
      if (name === undefined) continue;
      aliases.set(alias ?? name, `${module}.${name}`);
      if (!modules.test(name)) found.add(canonical(`${module}.${name}`));
    }
  for (const [, root, rest] of text.matchAll(/(?<![\w.])([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)/g)) {
    const module = aliases.get(root!);
    if (module !== undefined && !modules.test(rest!.slice(rest!.lastIndexOf(".") + 1)))
      found.add(canonical(module + rest));
  }
  // Methods: of whatever is called there, but a module of Python's or of arrays.
  for (const [, before, name] of text.matchAll(/([\w.]*)\.([a-z]\w*)\(/g)) {
    const [root] = before!.split(".");
    if (methods.has(name!) && !aliases.has(root!) && !/^(np|math|os|re|logger|config|super)$/.test(root!))
      found.add(`.${name}`);
  }
  found.delete("torch");
  return found;
}

/** A name as it is counted: its shortest usual form, without what is asked of a class. */
function canonical(name: string): string {
  const short = name
    .replace(/^torch\.nn\.functional\./, "F.")
    .replace(/^torch\.nn\./, "nn.")
    .replace(/^torch\.Tensor\./, ".")
    // One class by another path.
    .replace(/^nn\.modules\.(\w+\.)?(?=[A-Z])/, "nn.")
    .replace(/^torch\.distributions\.\w+\.(?=[A-Z])/, "torch.distributions.")
    .replace(/^torch\.torch\./, "torch.");
  const parts = short.split(".");
  const ofClass = parts.findIndex((part, i) => i > 0 && /^[A-Z]/.test(part));
  return ofClass < 0 ? short : parts.slice(0, ofClass + 1).join(".");
}

/** The text without comments and strings, whose examples are no uses. */
function code(python: string): string {
  return python.replace(/("""|''')[\s\S]*?\1|#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (found) =>
    found.startsWith("#") ? "" : '""',
  );
}
