import { backendNames, backendOf, currentBackend } from "../backends/registry.ts";
import { BackendError } from "../base/errors.ts";
import { settings } from "../base/settings.ts";
import { table } from "./table.ts";

/** `thaw devices`: every backend, what it is on this machine, or why it is missing. */
export function devices(print: (line: string) => void): void {
  const rows = backendNames().map((name) => [name, ...stateOf(name)]);
  for (const line of table(["backend", "state", "what it is"], rows)) print(line);
  print("");
  print(
    settings.backend === undefined
      ? "The first that can run is used; THAW_BACKEND=NAME picks another."
      : `THAW_BACKEND=${settings.backend} picked the one in use.`,
  );
}

function stateOf(name: string): [string, string] {
  try {
    const backend = backendOf(name);
    return [backend === currentBackend() ? "in use" : "available", backend.describe()];
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return ["missing", error.message];
  }
}
