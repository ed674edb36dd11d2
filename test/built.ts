import { statSync } from "node:fs";
import { join } from "node:path";
import { readSources, root } from "../scripts/sources.ts";

const dist = join(root, "dist");
let checked = false;

/**
 * The path of a file of the built package, for programs in processes of their own: they start in an eighth of the time
 * that its sources take. `npm test` builds it; throws where it is older than a source.
 */
export function built(file: string): string {
  if (!checked) {
    const at = statSync(join(dist, "chunks/thaw.js"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const newer = [...readSources().keys()].find((name) => statSync(join(root, "src", name)).mtimeMs > at);
    if (newer !== undefined)
      throw new Error(`dist/ is older than src/${newer}; run npm run build, or npm test, which builds it`);
    checked = true;
  }
  return join(dist, file);
}
