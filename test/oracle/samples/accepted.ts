/** A difference from PyTorch that is known and meant: which samples, what they show, and why it stays. */
export interface Accepted {
  /** Operations, modules or optimizers, by PyTorch's name with its variant. */
  readonly op: RegExp;
  readonly kind?: "sample" | "extreme" | "promotion" | "error";
  /** What is wrong, as a failure says it. */
  readonly wrong: RegExp;
  readonly reason: string;
}

/** The list. An entry that no committed sample needs any more fails the tests. */
export const accepted: readonly Accepted[] = [];

/** Says which entries have been needed. */
export class Acceptance {
  readonly #used = new Set<Accepted>();

  /** Whether a failure is on the list. */
  takes(op: string, kind: string, wrong: string): boolean {
    const entry = accepted.find(
      (a) => a.op.test(op) && (a.kind === undefined || a.kind === kind) && a.wrong.test(wrong),
    );
    if (entry !== undefined) this.#used.add(entry);
    return entry !== undefined;
  }

  /** Entries that nothing has needed. */
  get dead(): string[] {
    return accepted.filter((a) => !this.#used.has(a)).map(({ op, wrong }) => `${op} ${wrong}`);
  }
}
