/** The version of this package. */
export function version(): string {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
