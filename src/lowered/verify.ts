import { InternalError } from "../base/errors.ts";
import { constant, count, ops, typeOf } from "./build.ts";
import {
  type Access,
  assigned,
  bodiesOf,
  type Expr,
  type Lowered,
  localSize,
  type Name,
  type Operand,
  type Place,
  partsOf,
  placeParts,
  type Stmt,
  scalarOf,
} from "./ir.ts";
import { Bounds, type Facts } from "./linear.ts";
import { exprText } from "./print.ts";

/**
 * Shows that every access of a kernel stays inside its buffer, from the extents of loops or from guards, that names are
 * defined where they are used, and that threads wait only where all of them come. Throws `InternalError`, which says what
 * could not be shown, and where.
 */
export function verify(kernel: Lowered): void {
  new Verifier(kernel).check();
}

const zero = count(0);
const one = count(1);

/** Where a statement is. */
interface Scope {
  readonly facts: Facts;
  /** What is defined here; statements of this body add to it. */
  readonly names: Set<Name>;
  readonly inThreads: boolean;
  readonly inWhile: boolean;
}

class Verifier {
  readonly #kernel: Lowered;
  readonly #bounds = new Bounds();

  constructor(kernel: Lowered) {
    this.#kernel = kernel;
  }

  check(): void {
    const { accesses, body } = this.#kernel;
    for (const access of accesses) {
      for (const extent of access.extents) this.#bounds.notNegative(extent);
      if (access.extents.length !== access.strides.length)
        this.#fail("an access has as many extents as strides");
      this.#insideOwn(access);
    }
    this.#all(body, { facts: [], names: new Set(), inThreads: false, inWhile: false }, true);
  }

  #fail(message: string): never {
    throw new InternalError(`kernel ${this.#kernel.name}: ${message}`);
  }

  /** Shows that a buffer of the kernel's own has all elements that its extents and strides lead to. */
  #insideOwn(access: Access): void {
    const size = localSize(access);
    if (size === null) return;
    const last = access.extents.map((e, d) => ops.mul(ops.sub(e, one), access.strides[d]!));
    if (!this.#bounds.atLeast(count(size), last.reduce(ops.add, zero), 1, []))
      this.#fail(`cannot show that a buffer of ${size} has all that its extents and strides lead to`);
  }

  /** Checks statements; gives what holds after them. */
  #all(body: readonly Stmt[], scope: Scope, outermost = false): Scope {
    let here: Scope = { ...scope, names: new Set(scope.names) };
    for (const s of body) here = this.#statement(s, here, outermost);
    return here;
  }

  /** Checks a statement; gives what holds after it. */
  #statement(s: Stmt, scope: Scope, outermost: boolean): Scope {
    const bounds = this.#bounds;
    const changed = new Set(bodiesOf(s).flatMap((body) => [...assigned(body)]));
    const after = (facts: Facts, name?: Name): Scope => {
      if (name !== undefined) scope.names.add(name);
      return facts === scope.facts ? scope : { ...scope, facts };
    };
    const isIndex = (name: Name) => name.type.scalar === "index" && name.type.lanes === 1;
    switch (s.op) {
      case "let":
        this.#expr(s.value, scope);
        bounds.test(s.name, s.value);
        return after(
          isIndex(s.name) ? [...scope.facts, ...bounds.equal(s.name, s.value)] : scope.facts,
          s.name,
        );
      case "var":
        this.#expr(s.value, scope);
        bounds.variable(s.name, s.bounds);
        if (s.bounds !== undefined) this.#range(s.name, s.value, s.bounds, scope);
        if (s.bounds !== undefined) this.#bounded.set(s.name, s.bounds);
        return after(
          isIndex(s.name) ? [...scope.facts, ...bounds.equal(s.name, s.value)] : scope.facts,
          s.name,
        );
      case "set": {
        this.#expr(s.value, scope);
        if (!scope.names.has(s.name)) this.#fail(`${s.name.hint} is set where it is not known`);
        const range = this.#bounded.get(s.name);
        if (range !== undefined) this.#range(s.name, s.value, range, scope);
        const kept = bounds.without(scope.facts, new Set([s.name]));
        return after(isIndex(s.name) ? [...kept, ...bounds.equal(s.name, s.value)] : kept);
      }
      case "for": {
        for (const e of [s.from, s.to]) this.#expr(e, scope);
        this.#shape(s, outermost);
        if (bounds.atLeast(s.from, zero, 0, []))
          bounds.notNegative({ op: "ref", type: s.index.type, name: s.index });
        const inThreads = scope.inThreads || s.parallel === "threads";
        const inner = (least: number, more: Facts, names: readonly Name[]): Scope => {
          const i = { op: "ref", type: s.index.type, name: s.index } as const;
          const reach = { op: "add", type: s.index.type, args: [i, constant(i.type, least - 1)] } as const;
          const facts = [
            ...scope.facts,
            ...bounds.assume({ op: "le", type: typeOf("bool"), args: [s.from, i] }, true),
            ...bounds.assume({ op: "lt", type: typeOf("bool"), args: [reach, s.to] }, true),
            ...more,
          ];
          return {
            facts: bounds.without(facts, changed),
            names: new Set([...scope.names, s.index, ...names]),
            inThreads,
            inWhile: false,
          };
        };
        for (const { by, body, enter = [], leave = [] } of s.steps) {
          const entered = this.#all(enter, inner(by, [], []));
          const known = { ...entered, facts: bounds.without(entered.facts, changed) };
          this.#all(body, known);
          this.#all(leave, { ...known, facts: bounds.without(scope.facts, changed) });
        }
        if (s.rest !== undefined) {
          const { live, body } = s.rest;
          const left = {
            op: "sub",
            type: live.type,
            args: [s.to, { op: "ref", type: live.type, name: s.index }],
          } as const;
          const one = constant(live.type, 1);
          const most = constant(live.type, s.steps.at(-1)?.by ?? Number.MAX_SAFE_INTEGER);
          this.#all(
            body,
            inner(1, [...bounds.equal(live, left), ...bounds.between(live, one, most)], [live]),
          );
        }
        return after(bounds.without(scope.facts, changed));
      }
      case "while": {
        const facts = bounds.without(scope.facts, changed);
        this.#expr(s.test, { ...scope, facts });
        this.#all(s.body, { ...scope, facts: [...facts, ...bounds.assume(s.test, true)], inWhile: true });
        return after(facts);
      }
      case "if": {
        this.#expr(s.test, scope);
        this.#all(s.body, { ...scope, facts: [...scope.facts, ...bounds.assumeAll(s.test, true)] });
        this.#all(s.otherwise, { ...scope, facts: [...scope.facts, ...bounds.assumeAll(s.test, false)] });
        const left = s.body.at(-1)?.op === "break" ? bounds.assume(s.test, false) : [];
        return after(bounds.without([...scope.facts, ...left], changed));
      }
      case "store":
        this.#expr(s.value, scope);
        this.#place(s.place, s.value.type.lanes, scope, true);
        if (s.value.type.scalar !== scalarOf(this.#kernel.accesses[s.place.access]!.cell))
          this.#fail(`a store of ${s.value.type.scalar} through access ${s.place.access}`);
        return scope;
      case "copy": {
        this.#expr(s.count, scope);
        const cells = [s.to, s.from].map(({ access }) => this.#kernel.accesses[access]!.cell);
        if (cells[0] !== cells[1]) this.#fail(`a copy of ${cells[1]} to ${cells[0]}`);
        for (const place of [s.to, s.from])
          if (!place.along?.packed) this.#fail(`a copy through access ${place.access} of what is not packed`);
          else this.#place({ ...place, along: { ...place.along, live: s.count } }, 1, scope, place === s.to);
        return scope;
      }
      case "call":
        for (const operand of s.operands) this.#operand(operand, scope);
        return scope;
      case "prefetch":
        for (const e of placeParts(s.place)) this.#expr(e, scope);
        return scope;
      case "barrier":
        if (scope.inThreads) this.#fail("a barrier where threads are apart");
        return scope;
      case "break":
        if (!scope.inWhile) this.#fail("a break outside of a while");
        return scope;
    }
  }

  readonly #bounded = new Map<Name, { readonly least: Expr; readonly below: Expr }>();

  #range(name: Name, value: Expr, { least, below }: { least: Expr; below: Expr }, { facts }: Scope): void {
    if (!this.#bounds.atLeast(value, least, 0, facts))
      this.#fail(`cannot show that ${name.hint} = ${exprText(value)} is at least ${exprText(least)}`);
    if (!this.#bounds.atLeast(below, value, 1, facts))
      this.#fail(`cannot show that ${name.hint} = ${exprText(value)} is below ${exprText(below)}`);
  }

  #shape(s: Extract<Stmt, { op: "for" }>, outermost: boolean): void {
    const steps = s.steps.map(({ by }) => by);
    if (steps.some((by, i) => by < 1 || (i > 0 && by >= steps[i - 1]!)))
      this.#fail(`a loop in steps of ${steps}`);
    if ((s.steps.at(-1)?.by ?? 0) !== 1 && s.rest === undefined && !s.unroll)
      this.#fail(`a loop over ${s.index.hint} leaves out what its steps of ${steps} do not reach`);
    if (s.unroll && (s.from.op !== "const" || s.to.op !== "const"))
      this.#fail("an unrolled loop has constant ends");
    if (s.parallel === "tasks" && (!outermost || s.from.op !== "const" || s.from.value !== 0))
      this.#fail("the loop over tasks is outermost, from 0 on");
  }

  /** Checks an expression, and what it loads. */
  #expr(e: Expr, scope: Scope): void {
    if (e.op === "ref" && !scope.names.has(e.name))
      this.#fail(`${e.name.hint} is read where it is not known`);
    if (e.op === "load") {
      this.#place(e.place, e.type.lanes, scope, false);
      return;
    }
    for (const part of partsOf(e)) this.#expr(part, scope);
  }

  #place(place: Place, lanes: number, scope: Scope, written: boolean): void {
    const { access, at, along } = place;
    const there = this.#kernel.accesses[access];
    if (there === undefined || there.extents.length !== at.length)
      this.#fail(`access ${access} has no such coordinates`);
    if (written && !there.written) this.#fail(`a store through access ${access}, which is only read`);
    for (const e of placeParts(place)) this.#expr(e, scope);
    for (const [d, e] of at.entries()) {
      // Of lanes that have coordinates of their own it is said that they are in range.
      if (along?.each?.dim === d) continue;
      const reach = along?.dim !== d ? 1 : (along.live ?? lanes);
      this.#inside(place, d, e, reach, scope);
    }
    const stride = along && there.strides[along.dim]!;
    if (
      along?.packed &&
      !(
        this.#bounds.atLeast(stride!, one, 0, scope.facts) &&
        this.#bounds.atLeast(one, stride!, 0, scope.facts)
      )
    )
      this.#fail(
        `cannot show that elements of access ${access} follow each other along dimension ${along.dim}`,
      );
  }

  /** Shows that a coordinate, and those of the `reach` elements from there on, are in range. */
  #inside({ access }: Place, d: number, e: Expr, reach: Expr | number, { facts }: Scope): void {
    const extent = this.#kernel.accesses[access]!.extents[d]!;
    const told = `coordinate ${d} of access ${access}, ${exprText(e)},`;
    if (!this.#bounds.atLeast(e, zero, 0, facts)) this.#fail(`cannot show that ${told} is not negative`);
    const shown =
      typeof reach === "number"
        ? this.#bounds.atLeast(extent, e, reach, facts)
        : this.#bounds.atLeast(extent, { op: "add", type: e.type, args: [e, reach] }, 0, facts);
    const further =
      reach === 1 ? "" : `, with the ${typeof reach === "number" ? reach : exprText(reach)} from there on,`;
    if (!shown) this.#fail(`cannot show that ${told}${further} is below its extent ${exprText(extent)}`);
  }

  #operand({ place, sizes }: Operand, scope: Scope): void {
    for (const e of [...place.at, ...sizes]) this.#expr(e, scope);
    for (const [d, e] of place.at.entries()) this.#inside(place, d, e, sizes[d]!, scope);
  }
}
