/** The C of a kernel: units with the same prelude may hold several bodies, if each has no function but `run`. */
export interface CUnit {
  readonly prelude: string;
  readonly body: string;
}

/** C that is written where it has not been compiled yet: `key` says what it would be. */
export interface LazyUnit {
  readonly key: string;
  readonly write: () => CUnit;
}

/** C that is there, and says itself what it is. */
export const written = (unit: CUnit): LazyUnit => ({
  key: `${unit.prelude}\0${unit.body}`,
  write: () => unit,
});

/** Text of a C-like language: lines, indentation, and names that nothing else has. */
export class CWriter {
  readonly #lines: string[] = [];
  #depth = 0;
  #next = 0;

  /** A line at the present depth. */
  line(text: string): void {
    this.#lines.push(`${"  ".repeat(this.#depth)}${text}`);
  }

  /** `head {`, what `body` writes one step deeper, `}`. */
  block(head: string, body: () => void): void {
    this.line(`${head} {`);
    this.#depth++;
    body();
    this.#depth--;
    this.line("}");
  }

  /** A name that has not been given before. */
  name(prefix: string): string {
    return `${prefix}${this.#next++}`;
  }

  /** Defines a constant, and gives its name. */
  define(type: string, expression: string, prefix = "t"): string {
    const name = this.name(prefix);
    this.line(`const ${type} ${name} = ${expression};`);
    return name;
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}
