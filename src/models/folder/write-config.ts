import { joinPath, writeAtomically } from "../../base/storage/index.ts";

/** Writes a file of JSON into a folder, whole or not at all. */
export function writeConfig(folder: string, name: string, value: object): void {
  writeAtomically(joinPath(folder, name), (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)),
  );
}
