/** The signals that end a command. */
const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/**
 * Writes a file to its end although a signal comes meanwhile, and then ends as the signal asks. Handlers are there only
 * as long as the write: a command that computes is ended at once, as any program is.
 */
export function finishing(write: () => void): void {
  let code: number | null = null;
  const handlers = Object.entries(signals).map(([signal, number]) => {
    const note = (): void => {
      code ??= 128 + number;
    };
    process.on(signal, note);
    return [signal, note] as const;
  });
  const end = (): void => {
    for (const [signal, note] of handlers) process.off(signal, note);
    if (code !== null) process.exit(code);
  };
  try {
    write();
  } finally {
    // A signal that came is known once the event loop has turned, and the first turn may be half over already.
    setImmediate(() => setImmediate(end));
  }
}
