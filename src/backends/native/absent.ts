import { BackendError } from "../../base/errors.ts";
import type { Backend } from "../contract.ts";

/** What bundles for browsers have in place of the native backend and its C; throws `BackendError`. */
export function createNative(): Backend {
  throw new BackendError("native: C needs Node, and this program was bundled for browsers");
}
