import { type Backend, backendNames, backendOf, currentBackend } from "../backends/index.ts";
import { BackendError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { settings } from "../base/settings.ts";
import { table } from "../base/table.ts";

/** `thaw devices`: every backend, what it is on this machine, or why it is missing; `peaks`: what can be done with it. */
export function devices({ peaks = false }: { peaks?: boolean }, print: (line: string) => void): void {
  const { backend: asked } = settings;
  const known = asked === undefined || backendNames().includes(asked);
  const used = known ? inUse() : null;
  const rows = backendNames().map((name) => [name, ...stateOf(name, used)].map(printable));
  for (const line of table(["backend", "state", "what it is"], rows)) print(line);
  print("");
  if (peaks) {
    print(peaksOf());
    print("");
  }
  if (known && used === null) print("None is in use: what was asked for cannot run.");
  else if (asked === undefined) print("The first that can run is used; THAW_BACKEND=NAME picks another.");
  else if (known) print(`THAW_BACKEND=${printable(asked)} picked the one in use.`);
  else
    print(
      `THAW_BACKEND=${printable(asked)} names no backend, so nothing can run; unset it, or name one of these.`,
    );
}

/** What the backend in use measures. */
function peaksOf(): string {
  const backend = currentBackend();
  const { flops, bytes } = backend.peaks();
  return (
    `Measured with ${backend.threads} thread(s): ${(flops / 1e9).toFixed(1)} GFLOP/s (f32, fused multiply-add), ` +
    `${(bytes / 1e9).toFixed(1)} GB/s to and from memory.`
  );
}

/** The backend in use; null where what the environment asks for cannot run. */
function inUse(): Backend | null {
  try {
    return currentBackend();
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return null;
  }
}

function stateOf(name: string, used: Backend | null): [string, string] {
  try {
    const backend = backendOf(name);
    return [backend === used ? "in use" : "available", backend.describe()];
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return ["missing", error.message];
  }
}
