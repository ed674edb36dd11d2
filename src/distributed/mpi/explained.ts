import type { Control } from "../control.ts";
import type { Mpi } from "./library.ts";
import { pause } from "./pause.ts";

/**
 * MPI's functions, whose errors are explained. Where a rank is gone MPI may say that a connection is closed before the
 * watch has heard whose; within so many milliseconds it has, and what it knows is thrown.
 */
export function explained(mpi: Mpi, control: Control, milliseconds: number): Mpi {
  const explain =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      try {
        return call(...args);
      } catch (error) {
        const end = performance.now() + milliseconds;
        while (control.failure() === null && performance.now() < end) pause(10);
        throw control.failure() ?? error;
      }
    };
  return {
    ...mpi,
    send: explain(mpi.send),
    receive: explain(mpi.receive),
    isDone: explain(mpi.isDone),
  };
}
