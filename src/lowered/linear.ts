import { type Expr, type Name, partsOf } from "./ir.ts";
import { paramText } from "./walk.ts";

/** Something that an index is made of: a parameter, a name, or what is not a sum. */
interface Atom {
  readonly key: string;
  /** The variables that it depends on. */
  readonly variables: ReadonlySet<Name>;
  /** What holds of it at any time: each is at least 0. */
  readonly axioms: Linear[];
}

/** A sum of multiples of atoms, and a number. */
export interface Linear {
  readonly terms: ReadonlyMap<Atom, number>;
  readonly constant: number;
}

const number = (constant: number): Linear => ({ terms: new Map(), constant });

/** a + factor · b. */
function plus(a: Linear, b: Linear, factor = 1): Linear {
  const terms = new Map(a.terms);
  for (const [atom, n] of b.terms) {
    const sum = (terms.get(atom) ?? 0) + factor * n;
    if (Math.abs(sum) < 1e-9) terms.delete(atom);
    else terms.set(atom, sum);
  }
  return { terms, constant: a.constant + factor * b.constant };
}

/** What is known of indices: sums that are at least 0. */
export type Facts = readonly Linear[];

/** Eliminations in one proof. */
const deepest = 6;

/** Reasons about indices of one kernel: each bound is to follow from a few facts by adding multiples of them. */
export class Bounds {
  readonly #atoms = new Map<string, Atom>();
  readonly #ids = new Map<Name, number>();
  readonly #mutable = new Set<Name>();
  /** What immutable names were defined as. */
  readonly #meaning = new Map<Name, Linear>();
  readonly #tests = new Map<Name, Expr>();

  /** A name that `set` changes; `bounds` hold at any time. */
  variable(name: Name, bounds?: { readonly least: Expr; readonly below: Expr }): void {
    this.#mutable.add(name);
    if (bounds === undefined) return;
    const [atom] = this.#ofName(name).terms.keys();
    atom!.axioms.push(...this.between(name, bounds.least, bounds.below));
  }

  /** The facts that a name is from `least` to below `below`. */
  between(name: Name, least: Expr, below: Expr): Linear[] {
    const value = this.#ofName(name);
    return [plus(value, this.linear(least), -1), this.#below(value, this.linear(below))];
  }

  /** The facts that a name is what an expression gives; nothing where it depends on that name. */
  equal(name: Name, value: Expr): Linear[] {
    const sum = this.linear(value);
    if ([...sum.terms.keys()].some((atom) => atom.variables.has(name))) return [];
    if (!this.#mutable.has(name) && [...sum.terms.keys()].every((atom) => atom.variables.size === 0)) {
      this.#meaning.set(name, sum);
      return [];
    }
    const difference = plus(this.#ofName(name), sum, -1);
    return [difference, plus(number(0), difference, -1)];
  }

  /** A name for a test: where it depends on no variable, assuming the one is assuming the other. */
  test(name: Name, test: Expr): void {
    if (name.type.scalar === "bool" && this.#variables(test, new Set()).size === 0)
      this.#tests.set(name, test);
  }

  /** Says that an expression is never negative. */
  notNegative(e: Expr): void {
    const sum = this.linear(e);
    if (sum.terms.size === 1) for (const [atom] of sum.terms) atom.axioms.push(sum);
  }

  /** limit - a - 1: at least 0 where a < limit. */
  #below = (a: Linear, limit: Linear): Linear => plus(plus(limit, a, -1), number(-1));

  #id(name: Name): number {
    const known = this.#ids.get(name) ?? this.#ids.size;
    this.#ids.set(name, known);
    return known;
  }

  #ofName(name: Name): Linear {
    return (
      this.#meaning.get(name) ??
      this.#single(`${name.hint}#${this.#id(name)}`, this.#mutable.has(name) ? [name] : [])
    );
  }

  /** One atom; `axioms`, of it, where it is new. */
  #single(key: string, variables: Iterable<Name>, axioms: (atom: Linear) => Linear[] = () => []): Linear {
    const known = this.#atoms.get(key);
    if (known !== undefined) return { terms: new Map([[known, 1]]), constant: 0 };
    const atom: Atom = { key, variables: new Set(variables), axioms: [] };
    this.#atoms.set(key, atom);
    const sum = { terms: new Map([[atom, 1]]), constant: 0 };
    atom.axioms.push(...axioms(sum));
    return sum;
  }

  #key(e: Expr): string {
    if (e.type.scalar === "index" && e.op !== "load") {
      const { terms, constant } = this.linear(e);
      const sorted = [...terms].map(([atom, n]) => `${n}·${atom.key}`).sort();
      return `[${[...sorted, constant].join("+")}]`;
    }
    if (e.op === "ref") return `${e.name.hint}#${this.#id(e.name)}`;
    const own = e.op === "load" ? ` a${e.place.access}` : e.op === "const" ? ` ${e.value}` : "";
    return `${e.op}${own}(${partsOf(e).map((part) => this.#key(part))})`;
  }

  #variables(e: Expr, found: Set<Name>): Set<Name> {
    if (e.op === "ref") {
      if (this.#mutable.has(e.name)) found.add(e.name);
      for (const atom of this.#meaning.get(e.name)?.terms.keys() ?? [])
        for (const v of atom.variables) found.add(v);
    }
    for (const part of partsOf(e)) this.#variables(part, found);
    return found;
  }

  /** An index as a sum. */
  linear(e: Expr): Linear {
    if (e.op === "const") return number(e.value);
    if (e.op === "ref") return this.#ofName(e.name);
    if (e.op === "param")
      return this.#single(paramText(e.param), [], (atom) =>
        e.param.kind === "stride" ? [] : [plus(atom, number(e.param.kind === "block" ? -1 : 0))],
      );
    const [a, b] = partsOf(e) as [Expr, Expr];
    if (e.op === "add" || e.op === "sub")
      return plus(this.linear(a), this.linear(b), e.op === "add" ? 1 : -1);
    if (e.op === "mul")
      for (const [factor, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const sum = this.linear(factor);
        if (sum.terms.size === 0) return plus(number(0), this.linear(other), sum.constant);
      }
    return this.#opaque(e, a, b);
  }

  /** What is not a sum, with what is known of it at any time. A load's value may change between two statements. */
  #opaque(e: Expr, a: Expr, b: Expr): Linear {
    const key =
      e.op === "load" ? `load#${this.#atoms.size}` : `${e.op}(${partsOf(e).map((x) => this.#key(x))})`;
    const sign = (...of: readonly Expr[]) => of.every((x) => this.proves(this.linear(x), []));
    return this.#single(key, this.#variables(e, new Set()), (atom) => {
      const axioms: Linear[] = [];
      if (e.op === "within") axioms.push(atom, this.#below(atom, this.linear(b)));
      if (e.op === "min") for (const x of [a, b]) axioms.push(plus(this.linear(x), atom, -1));
      if (e.op === "max") for (const x of [a, b]) axioms.push(plus(atom, this.linear(x), -1));
      if ((e.op === "min" || e.op === "mul" || e.op === "div" || e.op === "rem") && sign(a, b))
        axioms.push(atom);
      const positive = (x: Expr) => this.proves(plus(this.linear(x), number(-1)), []);
      if (e.op === "min" && positive(a) && positive(b)) axioms.push(plus(atom, number(-1)));
      if (e.op === "rem" && sign(a, b)) axioms.push(this.#below(atom, this.linear(b)));
      const divisor = e.op === "div" ? this.linear(b) : number(0);
      if (divisor.terms.size === 0 && divisor.constant > 0) {
        const rest = plus(this.linear(a), atom, -divisor.constant);
        axioms.push(rest, plus(number(divisor.constant - 1), rest, -1));
      }
      return axioms;
    });
  }

  /** The facts that follow from a test that holds, or does not. */
  assume(test: Expr, holds: boolean): Linear[] {
    const named = test.op === "ref" ? this.#tests.get(test.name) : undefined;
    if (named !== undefined) return this.assume(named, holds);
    if (test.op === "not") return this.assume(test.args[0], !holds);
    if (test.op === (holds ? "and" : "or"))
      return (test.args as readonly Expr[]).flatMap((t) => this.assume(t, holds));
    const [a, b] = partsOf(test) as [Expr, Expr];
    if (a?.type.scalar !== "index") return [];
    const [x, y] = [this.linear(a), this.linear(b)];
    if (test.op === "inside" && holds) return [x, this.#below(x, y)];
    if (test.op === "lt") return [holds ? this.#below(x, y) : plus(x, y, -1)];
    if (test.op === "le") return [holds ? plus(y, x, -1) : this.#below(y, x)];
    return test.op === (holds ? "eq" : "ne") ? [plus(x, y, -1), plus(y, x, -1)] : [];
  }

  /** The facts of an `if`'s test, and what they say of what their atoms are at most: a smaller sum is bounded by both. */
  assumeAll(test: Expr, holds: boolean): Linear[] {
    return this.assume(test, holds).flatMap((fact) => [
      fact,
      ...[...fact.terms].flatMap(([atom, n]) =>
        n < 0 ? [] : atom.axioms.filter((x) => x.terms.get(atom) === -1).map((x) => plus(fact, x, n)),
      ),
    ]);
  }

  /** The facts that stay when some variables are set. */
  without(facts: Facts, set: ReadonlySet<Name>): Facts {
    const depends = (atom: Atom) => [...atom.variables].some((v) => set.has(v));
    return set.size === 0 ? facts : facts.filter((fact) => ![...fact.terms.keys()].some(depends));
  }

  /** Whether a - b - more is at least 0. */
  atLeast(a: Expr, b: Expr, more: number, facts: Facts): boolean {
    return this.proves(plus(plus(this.linear(a), this.linear(b), -1), number(-more)), facts);
  }

  /** Whether it follows that a sum is at least 0. */
  proves(goal: Linear, facts: Facts, depth = deepest): boolean {
    if (goal.terms.size === 0) return goal.constant >= -1e-9;
    if (depth === 0) return false;
    const axioms = [...goal.terms.keys()].flatMap((atom) => atom.axioms);
    const known = [...axioms, ...facts];
    // What is subtracted has to be bounded from above; the rest is seldom in the way.
    const less = [...goal.terms].filter(([, factor]) => factor < 0);
    return (less.length > 0 ? less : [...goal.terms].slice(0, 1)).some(([atom, n]) =>
      known.some((fact) => {
        const factor = n / (fact.terms.get(atom) ?? 0);
        return (
          factor > 0 && Number.isFinite(factor) && this.proves(plus(goal, fact, -factor), facts, depth - 1)
        );
      }),
    );
  }
}
