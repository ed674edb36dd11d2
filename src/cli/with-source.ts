import { SafetensorsError } from "../base/errors.ts";
import { openTensors, type TensorSource } from "../checkpoint/open.ts";
import { withProgress } from "./file-progress.ts";

/**
 * Opens the tensors at a path, closes them after use, and throws `SafetensorsError` if a file was written to
 * meanwhile: what was read of it would be of two states. With `progress`, a terminal is told how far it has come.
 */
export async function withSource<T>(
  path: string,
  { progress }: { progress: boolean },
  use: (source: TensorSource) => T | Promise<T>,
): Promise<T> {
  const opened = openTensors(path);
  const source = progress ? withProgress(opened) : opened;
  try {
    const before = writtenAt(source);
    const result = await use(source);
    for (const [file, when] of writtenAt(source))
      if (before.has(file) && before.get(file) !== when)
        throw new SafetensorsError(
          `${file.slice(file.indexOf(" ") + 1)} was written to while it was read. Try again when it is whole.`,
        );
    return result;
  } finally {
    source.close();
  }
}

/** When files were last written to, each by its inode and path: one that was replaced is still read as it was. */
function writtenAt({ entries }: TensorSource): Map<string, number> {
  const { statSync } = process.getBuiltinModule("node:fs");
  const times = new Map<string, number>();
  for (const file of new Set([...entries.values()].map((entry) => entry.file))) {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found !== undefined) times.set(`${found.ino} ${file}`, found.mtimeMs);
  }
  return times;
}
