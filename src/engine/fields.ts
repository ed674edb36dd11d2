/**
 * Plain fields of objects (a module's layers, its options) as something that recordings depend on. Whoever owns such
 * objects says when a field is read and when one is set, and a recording keeps what it has read.
 */

/** Under this a recording has noted which fields an object has, rather than what is in one of them. */
export const fieldNames = Symbol("names of fields");

/** What was found in fields, by object. */
type Found = Map<object, Map<PropertyKey, unknown>>;

let found: Found | null = null;
const observed = new WeakMap<object, Set<PropertyKey>>();
/** Counts changes of fields that some recording has read. */
let epoch = 0;

/** Whether what is read now is being recorded. */
export const readsFields = (): boolean => found !== null;

/** Notes that a field, or the names of all, was read, and what was found there. */
export function noteFieldRead(object: object, key: PropertyKey, value: unknown): void {
  if (found === null) return;
  let fields = found.get(object);
  if (fields === undefined) found.set(object, (fields = new Map()));
  if (!fields.has(key)) fields.set(key, value);
  const keys = observed.get(object);
  if (keys === undefined) observed.set(object, new Set([key]));
  else keys.add(key);
}

/** Notes that a field was set, added or deleted. */
export function noteFieldSet(object: object, key: PropertyKey): void {
  const keys = observed.get(object);
  if (keys !== undefined && (keys.has(key) || keys.has(fieldNames))) epoch++;
}

/** The names of an object's own fields, as `noteFieldRead` takes them. */
export const namesOf = (object: object): string => Reflect.ownKeys(object).map(String).join("\n");

/** Elements of an array or a plain object beyond which what is in it is not compared: it is data. */
const maxContents = 256;
/** Elements of all of them that a recording compares: what is nested deeper goes first. */
const maxElements = 4096;

/** Something in a field that can be changed without the field being set: an array or a plain object, and a copy of it. */
interface Contents {
  readonly of: Readonly<Record<string, unknown>>;
  readonly keys: readonly string[];
  readonly values: readonly unknown[];
}

/** The fields that a recording has read. */
export class FieldReads {
  readonly #found: Found;
  readonly #contents: readonly Contents[];
  #epoch = epoch;

  constructor(fields: Found) {
    this.#found = fields;
    const values = new Set([...fields.values()].flatMap((read) => [...read.values()]));
    this.#contents = contentsOf(values);
  }

  /** Whether all of them are as they were read. */
  hold(): boolean {
    for (const { of, keys, values } of this.#contents)
      for (let i = 0; i < keys.length; i++) if (!Object.is(of[keys[i]!], values[i])) return false;
    if (this.#epoch === epoch) return true;
    for (const [object, read] of this.#found)
      for (const [key, value] of read) {
        const now = key === fieldNames ? namesOf(object) : (object as Record<PropertyKey, unknown>)[key];
        if (!Object.is(now, value)) return false;
      }
    this.#epoch = epoch;
    return true;
  }
}

/** Runs `fn` and notes the fields that it has read: `fields` gives them. */
export function recordFieldReads<T>(fn: () => T): { result: T; fields: () => FieldReads } {
  const outer = found;
  const mine: Found = new Map();
  found = mine;
  try {
    const result = fn();
    return { result, fields: () => new FieldReads(mine) };
  } finally {
    found = outer;
  }
}

/** What is in some values, and in what is in them. */
function contentsOf(values: Iterable<unknown>): Contents[] {
  const found: Contents[] = [];
  // A set that grows as it is walked: what is within itself comes once.
  const all = new Set(values);
  let elements = 0;
  for (const value of all) {
    if (typeof value !== "object" || value === null) continue;
    if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) continue;
    const of = value as Readonly<Record<string, unknown>>;
    const keys = Object.keys(value);
    if (keys.length > maxContents || elements + keys.length > maxElements) continue;
    elements += keys.length;
    if (Array.isArray(value)) keys.push("length");
    found.push({ of, keys, values: keys.map((key) => of[key]) });
    for (const key of keys) all.add(of[key]);
  }
  return found;
}
