/** The signals that ask a process to end, by their numbers. */
const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type AskingSignal = keyof typeof signals;

/** A process that has been started, as far as it is needed here. */
interface Child {
  kill(signal: AskingSignal): boolean;
}

/** Signals that came while they were passed on. */
export interface Passing {
  /** The number of the first that came; null where none did. */
  readonly signal: number | null;
  /** Has them mean to this process what they did before. */
  stop(): void;
}

/** Passes on to a child what asks this process to end, so that it does not live on without this one, or end in its middle. */
export function passSignals(child: Child): Passing {
  let first: number | null = null;
  const handlers = (Object.keys(signals) as AskingSignal[]).map((signal) => {
    const pass = (): void => {
      first ??= signals[signal];
      child.kill(signal);
    };
    process.on(signal, pass);
    return [signal, pass] as const;
  });
  return {
    get signal() {
      return first;
    },
    stop() {
      for (const [signal, pass] of handlers) process.off(signal, pass);
    },
  };
}
