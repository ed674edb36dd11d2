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
