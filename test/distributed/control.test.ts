import { GroupError } from "thaw";
import { expect, test } from "vitest";
import { Control } from "../../src/distributed/control.ts";
import { explained } from "../../src/distributed/mpi/explained.ts";
import type { Mpi } from "../../src/distributed/mpi/library.ts";

test("of ranks that wait for each other's sake the one that has not come is to blame", () => {
  const control = new Control(4);
  // Rank 0 is a meeting ahead, and waits for 1, that for 2, and 2 for 3, which computes on.
  control.waitFor(0, 1);
  control.waitFor(1, 2);
  control.waitFor(2, 3);
  expect([control.missing(1, 0), control.missing(2, 1), control.missing(3, 2)]).toEqual([3, 3, 3]);
  control.waitFor(2, null);
  expect(control.missing(1, 0)).toBe(2);
  // What nobody knows better: each waits for another.
  control.waitFor(2, 1);
  expect(control.missing(1, 0)).toBe(1);
  control.waitFor(1, 0);
  expect(control.missing(1, 0)).toBe(1);
});

test("one that is silent is to blame, whomever it waited for, and rank 0 where all others are heard by way of it", () => {
  const control = new Control(3);
  const { rank, rankWords, heard } = control.places;
  const words = new Int32Array(control.memory);
  const hear = (of: number, ago: number): void => {
    words[rank + of * rankWords + heard] = ((performance.timeOrigin + performance.now() - ago) % 2 ** 31) | 0;
  };
  hear(1, 100);
  hear(2, 4000);
  control.waitFor(1, 2);
  control.waitFor(2, 0);
  expect(control.missing(1, 0)).toBe(2);
  hear(0, 100);
  expect(control.missing(2, 1)).toBe(2);
  hear(0, 4000);
  expect(control.missing(2, 1)).toBe(0);
});

test("what MPI says of a connection is explained by what is known of the rank", () => {
  const refuse = (): never => {
    throw new GroupError("MPI_Test of Open MPI has failed: MPI_ERR_INTERN");
  };
  const mpi: Mpi = {
    ...{ version: "none", rank: 0, size: 2 },
    ...{ send: refuse, receive: refuse, isDone: refuse, abort: refuse, finalize: refuse },
  };
  const control = new Control(2);
  const { isDone } = explained(mpi, control, 1);
  expect(() => isDone(new BigInt64Array(1))).toThrow("MPI_ERR_INTERN");
  control.fail(1, "rank 1 has ended without a word");
  expect(() => isDone(new BigInt64Array(1))).toThrow("rank 1 has ended without a word");
});
