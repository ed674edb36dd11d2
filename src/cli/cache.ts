import { backendOf } from "../backends/registry.ts";
import { mib } from "../base/mib.ts";
import { printable } from "../base/printable.ts";

/** What is asked of `thaw cache`. */
export interface CacheOptions {
  readonly clear?: boolean;
  readonly json?: boolean;
}

/** `thaw cache`: the compiled kernels on disk; throws `BackendError` where no backend keeps any. */
export function cache({ clear, json }: CacheOptions, printLine: (line: string) => void): void {
  const print = (line: string): void => printLine(printable(line));
  const kept = backendOf("native").cache!;
  if (clear) {
    const { folder } = kept.info();
    const { objects, bytes } = kept.clear();
    print(
      json
        ? JSON.stringify({ folder, cleared: objects, bytes })
        : `${objects} kernels removed from ${folder} (${mib(bytes)})`,
    );
    return;
  }
  const { folder, objects, bytes, maxBytes, oldest } = kept.info();
  if (json) {
    print(JSON.stringify({ folder, objects, bytes, maxBytes, oldest }));
    return;
  }
  print(`folder   ${folder}`);
  print(`kernels  ${objects}`);
  print(`size     ${mib(bytes)} of at most ${mib(maxBytes)} (THAW_CACHE_MAX)`);
  print(`oldest   ${oldest === null ? "–" : `last used ${oldest.toISOString()}`}`);
}
