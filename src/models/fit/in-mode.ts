import type { Module } from "../../nn/module.ts";

/** Does work while a module is in training mode or out of it; then each module in it has the mode that it had before. */
export async function inMode<T>(module: Module, training: boolean, work: () => Promise<T>): Promise<T> {
  // What freezing holds in a mode stays in it.
  const before = module
    .modules()
    .filter(({ heldMode }) => heldMode === null)
    .map((part) => [part, part.training] as const);
  for (const [part] of before) part.training = training;
  try {
    return await work();
  } finally {
    for (const [part, mode] of before) part.training = mode;
  }
}
