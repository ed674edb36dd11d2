import { type Foreign, type Koffi, loadKoffi } from "../../backends/koffi.ts";
import { GroupError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";

/** A function of the library: its result says whether it has failed. */
type Call = Foreign<(number | bigint | null | ArrayBufferView)[], number>;

type Library = ReturnType<Koffi["load"]>;

/** One message on its way: `request` is where the library keeps what it knows of it. */
export type Request = BigInt64Array;

/** The part of MPI that ranks are made of: who there is, and bytes from one to another. Nothing here waits. */
export interface Mpi {
  /** The library's name and version. */
  readonly version: string;
  readonly rank: number;
  readonly size: number;
  /** Begins to send bytes; they must stay as they are, and where they are, until the request is done. */
  send(bytes: Uint8Array, to: number, tag: number, request: Request): void;
  /** Begins to receive at most so many bytes. */
  receive(into: Uint8Array, from: number, tag: number, request: Request): void;
  isDone(request: Request): boolean;
  /** Ends all ranks, wherever they are, this one too. */
  abort(): void;
  /** Ends MPI in this process, once all ranks have come to their end. */
  finalize(): void;
}

/** Handles that a program is compiled with: Open MPI's are addresses of its data, MPICH's are numbers. */
interface Handles {
  readonly type: "uintptr_t" | "int";
  readonly world: number | bigint;
  readonly byte: number | bigint;
  readonly errorsReturn: number | bigint;
  readonly ignoredStatus: number;
}

const mpichHandles: Handles = {
  type: "int",
  world: 0x44000000,
  byte: 0x4c00010d,
  errorsReturn: 0x54000001,
  ignoredStatus: 1,
};

/** The level of threads that is asked for: the library is called by one thread at a time, whichever that is. */
const serialized = 2;

/** Names of the library, those first that what has started this process goes with. */
function candidates(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  if (settings.mpi !== undefined) return [settings.mpi];
  if (process.platform === "darwin") return ["libmpi.dylib"];
  const open = ["libmpi.so.40", "libmpi.so"];
  const mpich = ["libmpich.so.12", "libmpi.so.12", "libmpich.so"];
  return environment.OMPI_COMM_WORLD_SIZE === undefined && environment.PMIX_RANK === undefined
    ? [...mpich, ...open]
    : [...open, ...mpich];
}

/**
 * How many ranks MPI has started, of which this process is one: as `mpirun` of Open MPI or MPICH, `srun` and Kubernetes'
 * operator tell it. Null where it was started plainly.
 */
export function startedRanks(environment: Readonly<Record<string, string | undefined>>): number | null {
  const { OMPI_COMM_WORLD_SIZE, PMI_SIZE, PMIX_RANK, PMI_RANK } = environment;
  const { SLURM_STEP_NUM_TASKS, SLURM_NTASKS } = environment;
  const size = OMPI_COMM_WORLD_SIZE ?? PMI_SIZE;
  if (size !== undefined) return Number(size);
  return PMIX_RANK !== undefined || PMI_RANK !== undefined
    ? Number(SLURM_STEP_NUM_TASKS ?? SLURM_NTASKS ?? 1)
    : null;
}

/** Loads MPI and starts it; throws `GroupError` where there is none, or none that goes with what started the ranks. */
export function loadMpi(expected: number): Mpi {
  let koffi: Koffi;
  try {
    koffi = loadKoffi();
  } catch (error) {
    throw new GroupError('MPI is reached by koffi, which cannot be loaded; run "npm install koffi"', {
      cause: error,
    });
  }
  leaveMemoryFunctions(process.env);
  const { path, library } = openFirst(koffi, candidates(process.env));
  const version = versionOf(path, library);
  const handles = /Open MPI/.test(version)
    ? openMpiHandles(koffi, library)
    : /MPICH|Intel\(R\) MPI|MVAPICH/.test(version)
      ? mpichHandles
      : null;
  if (handles === null)
    throw new GroupError(
      `${path} is ${version}, whose handles are not known here; name Open MPI's or MPICH's library by THAW_MPI`,
    );
  const mpi = started(library, handles, version);
  if (mpi.size === expected) return mpi;
  throw new GroupError(
    `${path} (${version}) finds ${mpi.size} rank${mpi.size > 1 ? "s" : ""} where ${expected} were started: it does not go with what ` +
      "started them. Name the library of the same MPI by THAW_MPI.",
  );
}

/**
 * Has UCX, by which MPICH may send, leave the system's memory functions alone. It reads that when it is loaded, and would
 * patch their code while threads of Node run through it: one start in fifty ended with a broken heap.
 */
function leaveMemoryFunctions(environment: NodeJS.ProcessEnv): void {
  if (environment.UCX_MEM_EVENTS !== undefined) return;
  environment.UCX_MEM_EVENTS = "n";
  // It warns of variables that nothing has come of: the user has not set this one.
  environment.UCX_WARN_UNUSED_ENV_VARS ??= "n";
}

function openFirst(
  koffi: Koffi,
  paths: readonly string[],
): { readonly path: string; readonly library: Library } {
  const problems: string[] = [];
  for (const path of paths)
    try {
      // Its parts, which it loads by itself, look for its names among those of the whole process.
      return { path, library: koffi.load(path, { global: true }) };
    } catch (error) {
      problems.push((error as Error).message);
    }
  throw new GroupError(
    `MPI has started this process, and no library of it can be loaded (${problems[0]}). Install Open MPI or MPICH, or name its library by THAW_MPI.`,
  );
}

const functionOf = (library: Library, name: string, args: readonly string[]): Call =>
  library.func(name, "int", args) as Call;

function versionOf(path: string, library: Library): string {
  const [text, length] = [new Uint8Array(8192), new Int32Array(1)];
  try {
    functionOf(library, "MPI_Get_library_version", ["void *", "void *"])(text, length);
  } catch (error) {
    throw new GroupError(`${path} is no library of MPI: ${(error as Error).message}`, { cause: error });
  }
  return new TextDecoder()
    .decode(text.subarray(0, length[0]))
    .split(/[\n,]/)[0]!
    .replaceAll(/[\t\0]+/g, " ")
    .trim();
}

function openMpiHandles(koffi: Koffi, library: Library): Handles {
  const address = (name: string): bigint => koffi.address(library.symbol(name, "void *"));
  return {
    type: "uintptr_t",
    world: address("ompi_mpi_comm_world"),
    byte: address("ompi_mpi_byte"),
    errorsReturn: address("ompi_mpi_errors_return"),
    ignoredStatus: 0,
  };
}

function started(library: Library, handles: Handles, version: string): Mpi {
  const { type, world, byte, errorsReturn, ignoredStatus } = handles;
  const [text, length] = [new Uint8Array(8192), new Int32Array(1)];
  const errorString = functionOf(library, "MPI_Error_string", ["int", "void *", "void *"]);
  /** A function whose result says whether it has failed. */
  const bind = (name: string, ...args: string[]): ((...values: Parameters<Call>) => void) => {
    const call = functionOf(library, `MPI_${name}`, args);
    return (...values) => {
      const code = call(...values);
      if (code === 0) return;
      errorString(code, text, length);
      const message = new TextDecoder().decode(text.subarray(0, length[0])).trim();
      throw new GroupError(`MPI_${name} of ${version} has failed: ${message}`);
    };
  };
  const number = new Int32Array(1);
  const read = (get: (...values: Parameters<Call>) => void): number => {
    get(world, number);
    return number[0]!;
  };
  bind("Init_thread", "void *", "void *", "int", "void *")(null, null, serialized, number);
  if (number[0]! < serialized)
    throw new GroupError(`${version} was built without threads (it gives level ${number[0]} of 2)`);
  bind("Comm_set_errhandler", type, type)(world, errorsReturn);
  const message = ["void *", "int", type, "int", "int", type, "void *"];
  const isend = bind("Isend", ...message);
  const irecv = bind("Irecv", ...message);
  const test = bind("Test", "void *", "void *", "uintptr_t");
  const abort = bind("Abort", type, "int");
  const done = new Int32Array(new ArrayBuffer(64), 0, 1);
  return {
    version,
    rank: read(bind("Comm_rank", type, "void *")),
    size: read(bind("Comm_size", type, "void *")),
    send: (bytes, to, tag, request) => isend(bytes, bytes.length, byte, to, tag, world, request),
    receive: (into, from, tag, request) => irecv(into, into.length, byte, from, tag, world, request),
    isDone: (request) => {
      test(request, done, ignoredStatus);
      return done[0] !== 0;
    },
    abort: () => abort(world, 1),
    finalize: bind("Finalize"),
  };
}
