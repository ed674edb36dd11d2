import { BackendError } from "../base/errors.ts";
import { settings } from "../base/settings.ts";
import type { Backend } from "./contract.ts";
import { createNative } from "./native/backend.ts";
import { createReference } from "./reference/backend.ts";
import { shareCores } from "./sharing.ts";
import { createWasm } from "./wasm/backend.ts";

shareCores();

/** Every backend, best first. `make` throws `BackendError` with the reason where it cannot run. */
const registry: Record<string, () => Backend> = {
  native: createNative,
  wasm: createWasm,
  reference: createReference,
};

const made = new Map<string, Backend>();
let current: Backend | null = null;

/** Names of the backends there are, best first. */
export const backendNames = (): string[] => Object.keys(registry);

/** The backend of a name, made at first use; throws `BackendError` if there is none or it cannot run here. */
export function backendOf(name: string): Backend {
  // Own names only: objects inherit some, such as __proto__ and constructor.
  if (!Object.hasOwn(registry, name))
    throw new BackendError(`There is no backend "${name}"; there are ${backendNames().join(", ")}.`);
  const make = registry[name]!;
  let backend = made.get(name);
  if (backend === undefined) made.set(name, (backend = make()));
  return backend;
}

/**
 * Says in one line why a faster backend does not run: that of C on a terminal alone, as browsers never have it and a
 * pipe is somebody's data; that of WebAssembly everywhere, since what is left is slower by a hundred times.
 */
function hint(name: string, { message }: BackendError): void {
  const { process } = globalThis as { process?: { stderr?: { isTTY?: boolean } } };
  if (name === "native" && process?.stderr?.isTTY !== true) return;
  // A compiler may have said more than a line.
  const [why] = message.split("\n");
  const meant = name === "native" ? " THAW_BACKEND=wasm says that this is meant." : "";
  console.warn(`thaw: slower than it could be: ${why}.${meant}`);
}

/** The backend that runs everything: `THAW_BACKEND`, or else the best that can run. Fixed at first use. */
export function currentBackend(): Backend {
  if (current !== null) return current;
  const { backend, compiler, kernels } = settings;
  if (backend !== undefined) return (current = backendOf(backend));
  // Who names a compiler, or a folder of kernels, has asked for what runs them.
  const asked = compiler !== undefined ? "THAW_CC" : kernels !== undefined ? "THAW_KERNELS" : null;
  const reasons: string[] = [];
  for (const name of backendNames()) {
    try {
      return (current = backendOf(name));
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (name === "native" && asked !== null)
        throw new BackendError(
          `${error.message} (${asked} asks for native; without it another backend runs)`,
          {
            cause: error,
          },
        );
      hint(name, error);
      reasons.push(error.message);
    }
  }
  throw new BackendError(`No backend can run here: ${reasons.join("; ")}`);
}
