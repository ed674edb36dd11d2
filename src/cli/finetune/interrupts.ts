/** The signals that ask a run to end, and the statuses that a program then has. */
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Why a run has ended before its end. */
export class Interrupted extends Error {
  readonly status: number;

  constructor(status: number) {
    super("The training was interrupted.");
    this.status = status;
  }
}

/** Hears signals while work is done, which is told by an `AbortSignal`; a second one ends the program at once. */
export class Interrupts {
  readonly #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does work, and hears signals meanwhile. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const handlers = Object.entries(signals).map(([name, status]) => {
      const handle = (): void => this.#heard(name, status);
      process.on(name, handle);
      return [name, handle] as const;
    });
    try {
      return await work();
    } finally {
      for (const [name, handle] of handlers) process.off(name, handle);
    }
  }

  #heard(name: string, status: number): void {
    if (this.signal.aborted) process.exit(status);
    const { stderr } = process;
    stderr.write(
      `${stderr.isTTY ? "\n" : ""}thaw: ${name}: a checkpoint is saved after the update under way; once more ends at once\n`,
    );
    this.#controller.abort(new Interrupted(status));
  }
}
