import { printable, printableLines } from "./printable.ts";

/**
 * The base of every error that thaw throws on purpose. It may quote what is in a file, and Node prints an uncaught one
 * to a terminal, with its cause: neither has control characters, and lines only where the message is made of some.
 */
export class ThawError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(printableLines(message), printableCause(options));
    this.name = new.target.name;
  }
}

/** A cause that a terminal may have: as text, where it quotes what one may not. */
function printableCause(options: ErrorOptions | undefined): ErrorOptions | undefined {
  const cause = options?.cause;
  if (!(cause instanceof Error) || cause instanceof ThawError) return options;
  const said = `${cause.name}: ${cause.message}`;
  return printable(said) === said ? options : { cause: printable(said) };
}

/** Shapes that an operation cannot take. */
export class ShapeError extends ThawError {}
/** A dtype that an operation cannot take. */
export class DTypeError extends ThawError {}
/** An index, axis or class target out of range. */
export class IndexError extends ThawError {}
/** An option or argument with a value that cannot be. */
export class ArgumentError extends ThawError {}
/** An environment variable with a value that cannot be. */
export class SettingError extends ArgumentError {}
/** A selector or path that names no parameter. */
export class SelectorError extends ThawError {}
/** A gradient that cannot be computed: the loss depends on nothing that is trained, or is not a scalar. */
export class GradientError extends ThawError {}
/** A value whose inputs have since been overwritten. */
export class StaleTensorError extends ThawError {}
/** A value read where none can be: inside a captured function, or on a backend that reads asynchronously. */
export class CaptureError extends ThawError {}
/** A NaN or an infinity where a check asked for finite values. */
export class NonFiniteError extends ThawError {}
/** A state dict with missing, extra or mis-shaped entries. */
export class StateDictError extends ThawError {}
/** Something frozen that has moved. */
export class FreezeError extends ThawError {}
/** Memory that a backend may use has run out. */
export class OutOfMemoryError extends ThawError {}
/** A backend that is unknown, or cannot run here. */
export class BackendError extends ThawError {}
/** A C compiler that fails on a kernel, or takes too long. */
export class CompileError extends BackendError {}
/** Optimizer state that cannot be written to, or read back from, where it waits. */
export class StateOffloadError extends ThawError {}
/** A worker with a trainer in it that cannot be started, or has died. */
export class TrainerError extends ThawError {}
/** A file that cannot be read or written. */
export class FileError extends ThawError {
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}
/** An answer of a server that is no success. */
export class HttpError extends FileError {
  readonly status: number;

  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}
/** A safetensors file, or an index of such files, that is broken, truncated or hostile. */
export class SafetensorsError extends ThawError {
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}
/** A file whose bytes are not those that were written. */
export class ChecksumError extends SafetensorsError {}
/** A checkpoint that does not fit what it is loaded into, or is none. */
export class CheckpointError extends ThawError {}
/** A fault of thaw itself: a graph or a plan that breaks its own rules. */
export class InternalError extends ThawError {}
