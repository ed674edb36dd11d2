import { rolldown } from "rolldown";
import { root } from "./sources.ts";

/** A program of the repository that imports the built package by its name, as one file that a page or a worker loads. */
export async function bundleForPage(file: string): Promise<string> {
  const bundle = await rolldown({
    cwd: root,
    input: file,
    platform: "browser",
    tsconfig: false,
    onLog(_, log) {
      throw new Error(log.message);
    },
  });
  const { output } = await bundle.generate({ format: "esm", keepNames: true, codeSplitting: false });
  await bundle.close();
  return output[0].code;
}
