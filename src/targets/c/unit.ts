/**
 * The C of a kernel: units with the same prelude may hold several bodies, and those functions once that several have.
 * Functions of the same name are the same.
 */
export interface CUnit {
  readonly prelude: string;
  /** What the body calls, a function each with those that it calls. */
  readonly functions: readonly string[];
  readonly body: string;
}

/** The C of a kernel by itself. */
export const textOf = ({ prelude, functions, body }: CUnit): string => prelude + functions.join("") + body;

/** C that is written where it has not been compiled yet: `key` says what it would be. */
export interface LazyUnit {
  readonly key: string;
  readonly write: () => CUnit;
}

/** C that is there, and says itself what it is. */
export const written = (unit: CUnit): LazyUnit => ({
  key: `${unit.prelude}\0${unit.functions.join("")}${unit.body}`,
  write: () => unit,
});
