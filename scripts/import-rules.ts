/** Which folders of src/ each folder may import, beside `base` and itself. Nothing else may be imported. */
export const mayImport: { readonly [folder: string]: readonly string[] } = {
  base: [],
  ir: [],
  autodiff: ["ir"],
  plan: ["ir"],
  lowered: ["ir"],
  codegen: ["lowered", "plan", "ir"],
  targets: ["codegen", "lowered", "plan", "ir"],
  backends: ["targets", "codegen", "lowered", "plan", "ir"],
  engine: ["plan", "backends", "ir"],
  tensor: ["engine", "autodiff", "ir"],
  nn: ["tensor", "engine", "ir"],
  freeze: ["nn", "tensor", "engine"],
  optim: ["nn", "tensor", "engine"],
  ...allBefore(["data", "checkpoint", "distributed", "train", "onnx", "adapters", "models"]),
  testing: ["nn", "tensor"],
};

/** Folders that may import every public folder: those that package.json exports. */
export const importPublicFolders: readonly string[] = ["cli"];

/** Packages that may be imported, and by which folders. Everything published must run in a browser too. */
export const packages: { readonly [name: string]: readonly string[] } = {
  commander: ["cli"],
  "@huggingface/tokenizers": ["models"],
  papaparse: ["models"],
};

/** Where Node's own modules may be fetched, with `process.getBuiltinModule`. */
export const nodeOnly: readonly RegExp[] = [
  /^base\/storage/,
  /^backends\/native\//,
  /^backends\/wasm\//,
  /^backends\/koffi\.ts$/, // foreign functions: of kernels in C, and of MPI
  /^backends\/(cores|sharing)\.ts$/, // what there is to share a machine by
  /^distributed\//,
  // A trainer's worker is a thread of Node where there is no page.
  /^train\/trainer\/thread/,
  /^cli\//,
];

/** The most lines that a file may have. */
export const maxLines = 500;

/** Rules for a row of folders that may import the whole pipeline and those of the row before them. */
function allBefore(row: readonly string[]): Record<string, readonly string[]> {
  const pipeline = [
    "ir",
    "autodiff",
    "plan",
    "lowered",
    "codegen",
    "targets",
    "backends",
    "engine",
    "tensor",
    "nn",
    "freeze",
    "optim",
  ];
  return Object.fromEntries(row.map((folder, i) => [folder, [...pipeline, ...row.slice(0, i)]]));
}
