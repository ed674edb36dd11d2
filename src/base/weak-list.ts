/** Things that somebody else holds on to, in the order in which they were added. */
export class WeakList<T extends object> {
  #references: WeakRef<T>[] = [];
  /** Beyond so many, those that are gone are taken out. */
  #crowded = 64;

  add(thing: T): void {
    this.#references.push(new WeakRef(thing));
    if (this.#references.length <= this.#crowded) return;
    this.#references = this.#references.filter((reference) => reference.deref() !== undefined);
    this.#crowded = 2 * this.#references.length + 64;
  }

  /** Those that there are still. */
  all(): T[] {
    return this.#references.flatMap((reference) => reference.deref() ?? []);
  }
}
