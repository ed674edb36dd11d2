/** Below this, nothing is said: it is over at once. */
const quietBytes = 256 * 2 ** 20;

/** Tells on a terminal how much of large files has been read; in a pipe, nothing. */
export function fileProgress(): { at: (done: number, total: number) => void; end: () => void } {
  const { stderr } = process;
  let shownAt = 0;
  return {
    at(done, total) {
      if (!stderr.isTTY || total < quietBytes || performance.now() - shownAt < 100) return;
      shownAt = performance.now();
      stderr.write(`\r\u001b[2K${Math.floor((100 * done) / total)} % of ${(total / 2 ** 30).toFixed(1)} GiB`);
    },
    end() {
      if (shownAt > 0) stderr.write("\r\u001b[2K");
    },
  };
}
