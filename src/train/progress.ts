import { refuseOptions } from "../base/options.ts";

/** What a line of progress tells beside how far it has come. */
export interface Metrics {
  loss?: number;
  /** From 0 to 1. */
  accuracy?: number;
}

/** Where lines go: standard output, or what a test gives. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Options of `Progress`. */
export interface ProgressOptions {
  /** Stands before each line. */
  label?: string;
  /** Steps that were made before, of a run that goes on; 0. */
  from?: number;
  /** Lines in a pipe, the last included; default 10. */
  lines?: number;
  output?: ProgressOutput;
  /** The time in milliseconds; default `performance.now`. */
  now?: () => number;
}

/** Milliseconds between two states of a live line. */
const interval = 100;

/**
 * Tells how training goes: loss, accuracy, steps a second and the time left. On a terminal it is one live line, in a
 * pipe a plain line every so often.
 */
export class Progress {
  readonly #total: number;
  readonly #label: string;
  readonly #lines: number;
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #start: number;
  readonly #from: number;
  #done: number;
  #shownAt = Number.NEGATIVE_INFINITY;
  #loss: number | undefined;
  #accuracy: number | undefined;

  constructor(total: number, options: ProgressOptions = {}) {
    refuseOptions("Progress", options, { label: null, from: null, lines: null, output: null, now: null });
    const {
      label = "",
      from = 0,
      lines = 10,
      output = standardOutput(),
      now = () => performance.now(),
    } = options;
    this.#total = total;
    this.#label = label;
    this.#from = from;
    this.#done = from;
    this.#lines = lines;
    this.#output = output;
    this.#now = now;
    this.#start = now();
  }

  /** One step further; the loss that is shown is a running mean. */
  step(metrics: Metrics = {}): void {
    this.#done++;
    this.note(metrics);
    if (this.#output.isTTY) {
      if (this.#now() - this.#shownAt >= interval) this.#showLive();
    } else if (
      Math.floor((this.#done * this.#lines) / this.#total) >
      Math.floor(((this.#done - 1) * this.#lines) / this.#total)
    )
      this.#output.write(`${this.line()}\n`);
  }

  /** Takes note of figures, without a step. */
  note({ loss, accuracy }: Metrics): void {
    if (loss !== undefined)
      this.#loss = this.#loss === undefined ? loss : this.#loss + 0.05 * (loss - this.#loss);
    if (accuracy !== undefined) this.#accuracy = accuracy;
  }

  /** Ends a live line with its last state. */
  end(): void {
    if (!this.#output.isTTY) return;
    this.#showLive();
    this.#output.write("\n");
  }

  #showLive(): void {
    this.#shownAt = this.#now();
    const line = this.line();
    const { columns = line.length } = this.#output;
    // A line that wraps could not be overwritten.
    this.#output.write(`\r\u001b[2K${line.slice(0, Math.max(1, columns - 1))}`);
  }

  /** How things stand. */
  line(): string {
    const seconds = Math.max(1e-3, (this.#now() - this.#start) / 1000);
    const rate = (this.#done - this.#from) / seconds;
    const parts = [
      this.#label,
      `${Math.floor((100 * this.#done) / this.#total)} %`.padStart(5),
      `step ${this.#done}/${this.#total}`,
      this.#loss === undefined ? "" : `loss ${this.#loss.toFixed(4)}`,
      this.#accuracy === undefined ? "" : `accuracy ${(100 * this.#accuracy).toFixed(1)} %`,
      `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} steps/s`,
      this.#done < this.#total
        ? `${duration((this.#total - this.#done) / Math.max(rate, 1e-9))} left`
        : `${duration(seconds)} in all`,
    ];
    return parts.filter((part) => part !== "").join("  ");
  }
}

/** 75 as "1:15", 3700 as "1:01:40". */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Standard output, or in a browser the console. */
function standardOutput(): ProgressOutput {
  const { process } = globalThis as { process?: { stdout?: ProgressOutput } };
  return process?.stdout ?? { write: (text) => console.log(text.trimEnd()) };
}
