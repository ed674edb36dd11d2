import { wordBytes } from "../../targets/wasm/addresses.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder } from "../../targets/wasm/emitter.ts";
import { rowLayout } from "../table.ts";

/** Where the words of a row are. */
export const entry = rowLayout(wordBytes);

/**
 * The words that threads share, in bytes from the control block. `ticket` holds the number of the job (high half) and
 * of the next task nobody has taken (low half), so that taking a task of a job that is over cannot succeed.
 */
export const control = {
  sequence: 0,
  ticket: 64,
  entry: 128,
  tasks: 132,
  done: 192,
  generation: 256,
  stop: 260,
  joined: 264,
  kernels: 268,
  bytes: 320,
};

/** Ticket of no job: its task number is beyond any job's. */
const closed = 0x7fffffff;
/** Looks at the sequence before a worker goes to sleep: about 50 µs, so that it stays awake within a segment. */
const spins = 20_000;

/**
 * The walker of tables. `walk(table, rows, threads)` runs a plan's rows in order and gives -1, or the number of the
 * first status word that is not zero; with threads, rows of several tasks are shared out. `work(generation)` is a
 * worker's loop: it returns when there are kernels that it has not loaded, or to stop. `mayWait`: whether the caller
 * of `walk` may be put to sleep, which a browser's main thread may not.
 */
export function emitWalker(memory: MemoryImport, base: number, mayWait: boolean): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  module.importTable();
  const kernelType = module.type(["i32", "i32", "i32"], []);
  const load = (f: FunctionBuilder, word: number) => {
    f.i32(base + word);
    f.memory("i32.atomic.load");
  };
  const store = (f: FunctionBuilder, word: number, value: () => void) => {
    f.i32(base + word);
    value();
    f.memory("i32.atomic.store");
  };
  const field = (f: FunctionBuilder, row: number, offset: number) => {
    f.get(row);
    f.memory("i32.load", offset);
  };

  // claim(generation): takes and runs tasks until none is left (0) or kernels are missing (1; -1 never asks).
  const claim = module.func("claim", ["i32"], ["i32"]);
  if (memory.shared) {
    const f = claim;
    const ticket = f.local("i64");
    const index = f.local("i32");
    const row = f.local("i32");
    const begin = f.local("i32");
    const end = f.local("i32");
    f.loop(() => {
      f.i32(base + control.ticket);
      f.memory("i64.atomic.load");
      f.tee(ticket);
      f.op("i32.wrap_i64");
      f.tee(index);
      load(f, control.tasks);
      f.op("i32.ge_u");
      f.if(() => {
        f.i32(0);
        f.op("return");
      });
      load(f, control.entry);
      f.set(row);
      f.get(0);
      f.i32(0);
      f.op("i32.ge_s");
      load(f, control.generation);
      f.get(0);
      f.op("i32.ne", "i32.and");
      f.if(() => {
        f.i32(1);
        f.op("return");
      });
      f.i32(base + control.ticket);
      f.get(ticket);
      f.get(ticket);
      f.i64(1);
      f.op("i64.add");
      f.memory("i64.atomic.rmw.cmpxchg");
      f.get(ticket);
      f.op("i64.ne");
      f.brIf(0);
      field(f, row, entry.args);
      f.get(index);
      field(f, row, entry.chunk);
      f.op("i32.mul");
      f.tee(begin);
      f.get(begin);
      field(f, row, entry.chunk);
      f.op("i32.add");
      f.tee(end);
      field(f, row, entry.total);
      f.get(end);
      field(f, row, entry.total);
      f.op("i32.lt_s", "select");
      field(f, row, entry.function);
      f.callIndirect(kernelType);
      f.i32(base + control.done);
      f.i32(1);
      f.memory("i32.atomic.rmw.add");
      f.op("drop");
      f.br(0);
    });
  }
  claim.i32(0);

  const f = module.func("walk", ["i32", "i32", "i32"], ["i32"]);
  const [row, rows, threads] = [0, 1, 2];
  const checks = f.local("i32");
  const tasks = f.local("i32");
  const status = f.local("i32");
  const seen = f.local("i32");
  const turns = f.local("i32");
  const job = f.local("i64");
  const whole = () => {
    field(f, row, entry.args);
    f.i32(0);
    field(f, row, entry.total);
    field(f, row, entry.function);
    f.callIndirect(kernelType);
  };
  const shared = () => {
    const ticket = (low: number) => {
      f.i32(base + control.ticket);
      f.get(job);
      f.i64(low);
      f.op("i64.or");
      f.memory("i64.atomic.store");
    };
    field(f, row, entry.total);
    field(f, row, entry.chunk);
    f.op("i32.add");
    f.i32(1);
    f.op("i32.sub");
    field(f, row, entry.chunk);
    f.op("i32.div_s");
    f.set(tasks);
    // Close the last job before its words change, then open this one.
    f.i32(base + control.ticket);
    f.memory("i64.atomic.load");
    f.i64(32);
    f.op("i64.shr_u");
    f.i64(1);
    f.op("i64.add");
    f.i64(32);
    f.op("i64.shl");
    f.set(job);
    ticket(closed);
    store(f, control.entry, () => f.get(row));
    store(f, control.tasks, () => f.get(tasks));
    store(f, control.done, () => f.i32(0));
    ticket(0);
    f.i32(base + control.sequence);
    f.i32(1);
    f.memory("i32.atomic.rmw.add");
    f.op("drop");
    f.i32(base + control.sequence);
    f.get(threads);
    f.memory("memory.atomic.notify");
    f.op("drop");
    f.i32(-1);
    f.call(claim.index);
    f.op("drop");
    // Only tasks that somebody has taken are waited for.
    f.i32(spins);
    f.set(turns);
    f.block(() => {
      f.loop(() => {
        load(f, control.done);
        f.tee(seen);
        f.get(tasks);
        f.op("i32.eq");
        f.brIf(1);
        f.get(turns);
        f.i32(1);
        f.op("i32.sub");
        f.tee(turns);
        f.brIf(0);
        // Whoever has the task may be waiting for this core. Nobody calls: sleep a little and look again.
        if (mayWait) {
          f.i32(base + control.done);
          f.get(seen);
          f.i64(100_000);
          f.memory("memory.atomic.wait32");
          f.op("drop");
        }
        f.i32(1);
        f.set(turns);
        f.br(0);
      });
    });
  };
  f.block(() => {
    f.loop(() => {
      f.get(rows);
      f.op("i32.eqz");
      f.brIf(1);
      if (memory.shared) {
        f.get(threads);
        f.i32(1);
        f.op("i32.gt_s");
        field(f, row, entry.chunk);
        field(f, row, entry.total);
        f.op("i32.lt_s", "i32.and");
        f.if(shared, whole);
      } else whole();
      field(f, row, entry.status);
      f.tee(status);
      f.if(() => {
        f.get(status);
        f.memory("i32.load");
        f.if(() => {
          f.get(checks);
          f.op("return");
        });
        f.bump(checks, 1);
      });
      f.bump(row, entry.bytes);
      f.bump(rows, -1);
      f.br(0);
    });
  });
  f.i32(-1);

  if (memory.shared) {
    const w = module.func("work", ["i32"]);
    const seen = w.local("i32");
    const count = w.local("i32");
    w.loop(() => {
      load(w, control.sequence);
      w.set(seen);
      w.get(0);
      w.call(claim.index);
      load(w, control.generation);
      w.get(0);
      w.op("i32.ne");
      load(w, control.stop);
      w.op("i32.or", "i32.or");
      w.if(() => w.op("return"));
      w.i32(spins);
      w.set(count);
      w.loop(() => {
        load(w, control.sequence);
        w.get(seen);
        w.op("i32.ne");
        w.brIf(1);
        w.get(count);
        w.i32(1);
        w.op("i32.sub");
        w.tee(count);
        w.brIf(0);
      });
      w.i32(base + control.sequence);
      w.get(seen);
      w.i64(-1);
      w.memory("memory.atomic.wait32");
      w.op("drop");
      w.br(0);
    });
  }
  return module.bytes();
}
