import { currentBackend } from "../../backends/registry.ts";
import { version } from "../version.ts";

/** What a run was made with. */
export const versions = (): Readonly<Record<string, string>> => ({
  thaw: version(),
  "Node.js": process.versions.node,
  backend: currentBackend().name,
});
