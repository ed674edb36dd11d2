import { bodiesOf, type Expr, type Name, type Place, partsOf, placeParts, type Stmt } from "./ir.ts";
import { indexKey, ownOf, placesIn } from "./walk.ts";

/** A part of a coordinate of a place that is still to be added to its address. */
export interface Term {
  readonly dim: number;
  readonly index: Expr;
}

/** An address so far: what a target calls it, and what is still to be added. */
export interface Cursor<L> {
  readonly local: L;
  readonly left: readonly Term[];
}

/** An address that goes along with a loop's index: where it is kept, and of which place and dimension its stride is. */
export interface Moving<L> {
  readonly local: L;
  readonly place: Place;
  readonly dim: number;
}

/** What an index is the sum of. What is said to be known of an index is nothing to a processor's kernel. */
function addends(e: Expr): readonly Expr[] {
  if (e.op === "within") return addends(e.args[0]);
  return e.op === "add" ? e.args.flatMap(addends) : [e];
}

/**
 * Strength reduction for targets: where the places of a loop's body are, but for what is not known when it begins, is put
 * into locals, which the loop moves along with its index. Compilers do not multiply less of themselves where loops are
 * short, and V8 never.
 */
export class Cursors<L> {
  readonly #pointers: readonly L[];
  readonly #names: ReadonlyMap<Name, L>;
  /** Whether coordinates along which elements are packed are left to the addressing of the machine. */
  readonly #leavePacked: boolean;
  readonly #places = new Map<Place, Cursor<L>>();
  readonly #constants = new Set<Name>();

  /** `pointers`: where accesses begin; `names`: what names are called, as far as they are known. */
  constructor(pointers: readonly L[], names: ReadonlyMap<Name, L>, leavePacked: boolean) {
    this.#pointers = pointers;
    this.#names = names;
    this.#leavePacked = leavePacked;
  }

  /** Says that a name is known from here on, and keeps its value. */
  keeps(name: Name): void {
    this.#constants.add(name);
  }

  /** Where a place is. */
  of(place: Place): Cursor<L> {
    const known = this.#places.get(place);
    if (known !== undefined) return known;
    const left = place.at.flatMap((e, dim) => addends(e).map((index) => ({ dim, index })));
    const cursor = { local: this.#pointers[place.access]!, left };
    this.#places.set(place, cursor);
    return cursor;
  }

  /** Whether something needs an index itself: not only addresses that move along with it. */
  needs(index: Name, body: readonly Stmt[]): boolean {
    const inExpr = (e: Expr): boolean => {
      if (e.op === "load") return inPlace(e.place);
      return e.op === "ref" ? e.name === index : partsOf(e).some(inExpr);
    };
    const inPlace = (place: Place): boolean =>
      this.of(place).left.some((term) => inExpr(term.index)) || placeParts({ ...place, at: [] }).some(inExpr);
    return body.some((s) => {
      const { exprs, places } = ownOf(s);
      return (
        exprs.some(inExpr) || places.some(inPlace) || bodiesOf(s).some((inner) => this.needs(index, inner))
      );
    });
  }

  #isSteady(e: Expr): boolean {
    if (e.op === "ref") return this.#constants.has(e.name);
    return e.op !== "load" && partsOf(e).every((part) => this.#isSteady(part));
  }

  /**
   * At the beginning of a loop, after its index has its first value: `make` puts an address with some more terms into a
   * local. Gives those that are to be moved on with the index.
   */
  enter(
    index: Name,
    bodies: readonly (readonly Stmt[])[],
    make: (place: Place, from: L, terms: readonly Term[]) => L,
  ): Moving<L>[] {
    this.keeps(index);
    const isIndex = (e: Expr) => e.op === "ref" && e.name === index;
    // What else is made of the index is another number in each iteration, and no address goes along with it.
    const isOfIndex = (e: Expr): boolean => isIndex(e) || partsOf(e).some(isOfIndex);
    const known = new Map<string, L>();
    const moving: Moving<L>[] = [];
    for (const place of bodies.flatMap((body) => [...placesIn(body)])) {
      const cursor = this.of(place);
      const now: Term[] = [];
      const left: Term[] = [];
      const packed = place.along?.packed ? place.along.dim : -1;
      for (const term of cursor.left) {
        const goesAlong = isIndex(term.index)
          ? !(this.#leavePacked && term.dim === packed)
          : term.index.op !== "const" && !isOfIndex(term.index);
        (goesAlong && this.#isSteady(term.index) ? now : left).push(term);
      }
      if (now.length === 0) continue;
      const text = now.map(({ dim, index }) => `${dim} ${indexKey(index, (name) => this.#names.get(name))}`);
      const key = `${cursor.local} ${place.access} ${packed} ${text}`;
      let local = known.get(key);
      if (local === undefined) {
        known.set(key, (local = make(place, cursor.local, now)));
        for (const { dim, index } of now) if (isIndex(index)) moving.push({ local, place, dim });
      }
      this.#places.set(place, { local, left });
    }
    return moving;
  }
}
