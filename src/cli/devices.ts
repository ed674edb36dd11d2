import { backendNames, backendOf, currentBackend } from "../backends/registry.ts";
import { BackendError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { settings } from "../base/settings.ts";
import { table } from "../base/table.ts";

/** `thaw devices`: every backend, what it is on this machine, or why it is missing; `peaks`: what can be done with it. */
export function devices({ peaks = false }: { peaks?: boolean }, print: (line: string) => void): void {
  const { backend: asked } = settings;
  const known = asked === undefined || backendNames().includes(asked);
  const rows = backendNames().map((name) => [name, ...stateOf(name, known)].map(printable));
  for (const line of table(["backend", "state", "what it is"], rows)) print(line);
  print("");
  if (peaks) {
    print(peaksOf());
    print("");
  }
  if (asked === undefined) print("The first that can run is used; THAW_BACKEND=NAME picks another.");
  else if (known) print(`THAW_BACKEND=${printable(asked)} picked the one in use.`);
  else
    print(
      `THAW_BACKEND=${printable(asked)} names no backend, so nothing can run; unset it, or name one of these.`,
    );
}

/** What the backend in use measures. */
function peaksOf(): string {
  const { flops, bytes } = currentBackend().peaks();
  return (
    `Measured with ${settings.threads} thread(s): ${(flops / 1e9).toFixed(1)} GFLOP/s (f32, fused multiply-add), ` +
    `${(bytes / 1e9).toFixed(1)} GB/s to and from memory.`
  );
}

function stateOf(name: string, known: boolean): [string, string] {
  try {
    const backend = backendOf(name);
    return [known && backend === currentBackend() ? "in use" : "available", backend.describe()];
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return ["missing", error.message];
  }
}
