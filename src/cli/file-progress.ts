import type { TensorSource } from "../checkpoint/open.ts";

/** Below this, nothing is said: it is over at once. */
const quietBytes = 256 * 2 ** 20;

/** A source that tells on a terminal how far large files have been read; in a pipe, the source itself. */
export function withProgress(source: TensorSource): TensorSource {
  const { stderr } = process;
  const before = new Map<string, number>();
  let total = 0;
  for (const [name, { begin, end }] of source.entries) {
    before.set(name, total);
    total += end - begin;
  }
  if (!stderr.isTTY || total < quietBytes) return source;
  let shownAt = performance.now();
  return {
    entries: source.entries,
    metadata: source.metadata,
    intact: source.intact,
    read(name, into, fromByte) {
      if (performance.now() - shownAt > 100) {
        shownAt = performance.now();
        const percent = Math.floor((100 * (before.get(name)! + fromByte)) / total);
        stderr.write(`\r\u001b[2K${percent} % of ${(total / 2 ** 30).toFixed(1)} GiB`);
      }
      return source.read(name, into, fromByte);
    },
    close() {
      stderr.write("\r\u001b[2K");
      source.close();
    },
  };
}
