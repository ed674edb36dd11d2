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
