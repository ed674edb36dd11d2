import { numberText } from "../base/exact-text.ts";
import { type Expr, type Lowered, type Name, type Place, partsOf, type Stmt, type Type } from "./ir.ts";
import { infix, paramText } from "./walk.ts";

const typeText = ({ scalar, lanes }: Type): string => (lanes === 1 ? scalar : `${scalar} × ${lanes}`);

/** Prints kernels for people: each name by its hint, with a number where several have one. */
class Printer {
  readonly #names = new Map<Name, string>();
  readonly #taken = new Map<string, number>();
  readonly lines: string[] = [];

  name(name: Name): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const before = this.#taken.get(name.hint) ?? 0;
    this.#taken.set(name.hint, before + 1);
    const text = before === 0 ? name.hint : `${name.hint}${before + 1}`;
    this.#names.set(name, text);
    return text;
  }

  place({ access, at, along }: Place): string {
    const coordinates = at.map((e, d) => {
      if (along?.each?.dim === d) return `each ${this.expr(along.each.index)}`;
      if (along?.dim !== d) return this.expr(e);
      const live = along.live === undefined ? "" : ` to ${this.expr(along.live)}`;
      return `${this.expr(e)}${along.packed ? " …" : " … apart"}${live}`;
    });
    return `a${access}[${coordinates.join(", ")}]`;
  }

  expr(e: Expr): string {
    const operator = infix[e.op];
    const parts = () => partsOf(e).map((part) => this.expr(part));
    if (operator !== undefined) return `(${parts().join(` ${operator} `)})`;
    switch (e.op) {
      case "const":
        return e.type.scalar === "index" ? `${e.value}` : `${typeText(e.type)} ${numberText(e.value)}`;
      case "param":
        return paramText(e.param);
      case "ref":
        return this.name(e.name);
      case "load":
        return `${this.place(e.place)}${e.type.lanes > 1 ? ` × ${e.type.lanes}` : ""}`;
      case "convert":
      case "bits":
      case "splat":
        return `${e.op} ${typeText(e.type)} (${parts()[0]})`;
      case "lane":
        return `${parts()[0]}.${e.lane}`;
      case "rotate":
        return `rotate(${parts()[0]}, ${e.by})`;
      case "shuffle":
        return `shuffle(${parts().join(", ")}, [${e.from}])`;
      case "widen":
        return `widen(${parts()[0]}, ${e.part})`;
      case "narrow":
        return `narrow ${typeText(e.type)} (${parts().join(", ")})`;
      default:
        return `${e.op}(${parts().join(", ")})`;
    }
  }

  body(statements: readonly Stmt[], indent: string): void {
    for (const s of statements) this.#statement(s, indent);
    if (statements.length === 0) this.lines.push(`${indent}nothing`);
  }

  #statement(s: Stmt, indent: string): void {
    const line = (text: string) => this.lines.push(indent + text);
    const inner = (body: readonly Stmt[]) => this.body(body, `${indent}  `);
    switch (s.op) {
      case "let":
        line(`${this.name(s.name)} = ${this.expr(s.value)}`);
        break;
      case "var": {
        const bounds =
          s.bounds && `, from ${this.expr(s.bounds.least)} to below ${this.expr(s.bounds.below)}`;
        line(`var ${this.name(s.name)} = ${this.expr(s.value)}${bounds ?? ""}`);
        break;
      }
      case "set":
        line(`${this.name(s.name)} := ${this.expr(s.value)}`);
        break;
      case "for": {
        const how = [s.parallel, s.unroll ? "unrolled" : undefined].filter((x) => x !== undefined);
        const range = `for ${this.name(s.index)} from ${this.expr(s.from)} to below ${this.expr(s.to)}`;
        for (const [i, { by, body, enter = [], leave = [] }] of s.steps.entries()) {
          const step = by === 1 ? "" : ` by ${by}`;
          line(`${i === 0 ? range : "then"}${step}${i === 0 ? how.map((h) => `, ${h}`).join("") : ""}:`);
          if (enter.length + leave.length === 0) inner(body);
          else
            for (const [when, part] of [
              ["at first", enter],
              ["each time", body],
              ["at last", leave],
            ] as const) {
              this.lines.push(`${indent}  ${when}:`);
              this.body(part, `${indent}    `);
            }
        }
        if (s.rest === undefined) break;
        line(`then what is left, ${this.name(s.rest.live)}:`);
        inner(s.rest.body);
        break;
      }
      case "while":
        line(`while ${this.expr(s.test)}:`);
        inner(s.body);
        break;
      case "if":
        line(`if ${this.expr(s.test)}:`);
        inner(s.body);
        if (s.otherwise.length === 0) break;
        line("else:");
        inner(s.otherwise);
        break;
      case "store":
        line(`${this.place(s.place)} = ${this.expr(s.value)}`);
        break;
      case "copy":
        line(`${this.place(s.to)} = ${this.place(s.from)}, ${this.expr(s.count)} elements`);
        break;
      case "prefetch":
        line(`soon ${this.place(s.place)}`);
        break;
      case "call": {
        const operands = s.operands.map(
          ({ place, sizes }) => `${this.place(place)} of ${sizes.map((e) => this.expr(e)).join(" × ")}`,
        );
        line(`${s.tile.name}(${operands.join(", ")})`);
        break;
      }
      default:
        line(s.op);
    }
  }
}

/** The text of an expression. */
export const exprText = (e: Expr): string => new Printer().expr(e);

/** The text of a kernel, for people and for tests. */
export function kernelText(kernel: Lowered): string {
  const printer = new Printer();
  for (const [i, { cell, memory, extents, strides, written }] of kernel.accesses.entries()) {
    const texts = (es: readonly Expr[]) => es.map((e) => printer.expr(e)).join(", ");
    const where = "local" in memory ? `local of ${memory.local}` : `argument ${memory.argument}`;
    const alias = "alias" in memory && memory.alias !== memory.argument ? `, may be ${memory.alias}` : "";
    printer.lines.push(
      `  a${i}: ${cell}[${texts(extents)}] by (${texts(strides)}), ${where}${alias}${written ? ", written" : ""}`,
    );
  }
  const status = kernel.status === null ? "" : `, unless a${kernel.status} says stop`;
  const threads = kernel.threads === 1 ? "" : `, ${kernel.threads} threads`;
  printer.body(kernel.body, "");
  return `kernel ${kernel.name}${threads}${status}\n${printer.lines.join("\n")}\n`;
}
