import { currentBackend } from "../backends/registry.ts";
import { ArgumentError } from "../base/errors.ts";
import { mostThreads } from "../base/settings.ts";
import { untilStarted } from "../base/yielding.ts";

/**
 * Has `count` threads compute, this one among them, as `THAW_THREADS` does; 1 is one thread. Results are the same bits
 * with any number. Fewer run where there are no more to be had, as in a page that is not cross-origin isolated, which a
 * warning says with what to do about it; `currentBackend().threads` is how many there are. Workers of the wasm backend
 * join when they have started, for which a page, or a worker of one, must come back to its event loop: the promise
 * settles when they have joined, or after half a second, so that a long first step that is awaited after it has them.
 * Nothing else needs it to be awaited. Throws `ArgumentError` for what is no whole number from 1 to 256.
 */
export function setThreads(count: number): Promise<void> {
  if (!Number.isInteger(count) || count < 1 || count > mostThreads)
    throw new ArgumentError(
      `setThreads: count is ${count}; it must be a whole number from 1 to ${mostThreads}`,
    );
  currentBackend().setThreads(count);
  return untilStarted();
}
