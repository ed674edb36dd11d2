import { errorText } from "./error-text.ts";
import { printable, printableLines } from "./printable.ts";

/**
 * The base of every error that thaw throws on purpose. It may quote what is in a file, and Node prints an uncaught one
 * to a terminal, with its cause: neither has control characters, and lines only where the message is made of some.
 * Each class says its own name, since bundlers give classes others.
 */
export class ThawError extends Error {
  static override readonly name: string = "ThawError";

  constructor(message: string, options?: ErrorOptions) {
    super(printableLines(message), printableCause(options));
    this.name = new.target.name;
  }
}

/** A cause that a terminal may have: as text, where it quotes what one may not. */
function printableCause(options: ErrorOptions | undefined): ErrorOptions | undefined {
  const cause = options?.cause;
  if (!(cause instanceof Error) || cause instanceof ThawError) return options;
  const said = errorText(cause);
  return printable(said) === said ? options : { cause: printable(said) };
}

/** Shapes that an operation cannot take. */
export class ShapeError extends ThawError {
  static override readonly name: string = "ShapeError";
}
/** A dtype that an operation cannot take. */
export class DTypeError extends ThawError {
  static override readonly name: string = "DTypeError";
}
/** An index, axis or class target out of range. */
export class IndexError extends ThawError {
  static override readonly name: string = "IndexError";
}
/** An option or argument with a value that cannot be. */
export class ArgumentError extends ThawError {
  static override readonly name: string = "ArgumentError";
}
/** An environment variable with a value that cannot be. */
export class SettingError extends ArgumentError {
  static override readonly name: string = "SettingError";
}
/** A selector or path that names no parameter. */
export class SelectorError extends ThawError {
  static override readonly name: string = "SelectorError";
}
/** A gradient that cannot be computed: the loss depends on nothing that is trained, or is not a scalar. */
export class GradientError extends ThawError {
  static override readonly name: string = "GradientError";
}
/** A value whose inputs have since been overwritten. */
export class StaleTensorError extends ThawError {
  static override readonly name: string = "StaleTensorError";
}
/** A value read where none can be: inside a captured function, or on a backend that reads asynchronously. */
export class CaptureError extends ThawError {
  static override readonly name: string = "CaptureError";
}
/** A NaN or an infinity where a check asked for finite values. */
export class NonFiniteError extends ThawError {
  static override readonly name: string = "NonFiniteError";
}
/** A state dict with missing, extra or mis-shaped entries. */
export class StateDictError extends ThawError {
  static override readonly name: string = "StateDictError";
}
/** Texts, or labels of them, that a file has and that cannot be used. */
export class DataError extends ThawError {
  static override readonly name: string = "DataError";
}
/** A config of a model that is broken, or asks for something that is not there. */
export class ConfigError extends ThawError {
  static override readonly name: string = "ConfigError";
}
/** A model that cannot be written in another format, for what it computes. */
export class ExportError extends ThawError {
  static override readonly name: string = "ExportError";
}
/** An adapter that does not fit a model, or a name of one that is taken or not there. */
export class AdapterError extends ThawError {
  static override readonly name: string = "AdapterError";
}
/** Something frozen that has moved. */
export class FreezeError extends ThawError {
  static override readonly name: string = "FreezeError";
}
/** Memory that a backend may use has run out. */
export class OutOfMemoryError extends ThawError {
  static override readonly name: string = "OutOfMemoryError";
}
/** A backend that is unknown, or cannot run here. */
export class BackendError extends ThawError {
  static override readonly name: string = "BackendError";
}
/** A C compiler that fails on a kernel, or takes too long. */
export class CompileError extends BackendError {
  static override readonly name: string = "CompileError";
}
/** Optimizer state that cannot be written to, or read back from, where it waits. */
export class StateOffloadError extends ThawError {
  static override readonly name: string = "StateOffloadError";
}
/** A worker with a trainer in it that cannot be started, or has died. */
export class TrainerError extends ThawError {
  static override readonly name: string = "TrainerError";
}
/** Ranks of a group that differ in what must be the same, or a group that cannot be. */
export class GroupError extends ThawError {
  static override readonly name: string = "GroupError";
}
/** Another rank that has failed, ended or died while this one needs it; or that has failed in a step of both. */
export class RankError extends GroupError {
  static override readonly name: string = "RankError";
  /** Which. */
  readonly rank: number;

  constructor(message: string, { rank = -1, ...options }: ErrorOptions & { rank?: number } = {}) {
    super(message, options);
    this.rank = rank;
  }
}
/** Another rank that does not come to where this one waits for it. */
export class GroupTimeoutError extends RankError {
  static override readonly name: string = "GroupTimeoutError";
}
/** A file that cannot be read or written. */
export class FileError extends ThawError {
  static override readonly name: string = "FileError";

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}
/** A folder that another process has in use. */
export class LockError extends FileError {
  static override readonly name: string = "LockError";
}
/** An answer of a server that is no success. */
export class HttpError extends FileError {
  static override readonly name: string = "HttpError";
  /** Its status code. */
  readonly status: number;

  constructor(message: string, { status = 0, ...options }: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.status = status;
  }
}
/** A safetensors file, or an index of such files, that is broken, truncated or hostile. */
export class SafetensorsError extends ThawError {
  static override readonly name: string = "SafetensorsError";

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}
/** A file whose bytes are not those that were written. */
export class ChecksumError extends SafetensorsError {
  static override readonly name: string = "ChecksumError";
}
/** A checkpoint that does not fit what it is loaded into, or is none. */
export class CheckpointError extends ThawError {
  static override readonly name: string = "CheckpointError";
}
/** A training that cannot go on from what a folder has, as it was begun with something else. */
export class ResumeError extends CheckpointError {
  static override readonly name: string = "ResumeError";
}
/** A fault of thaw itself: a graph or a plan that breaks its own rules. */
export class InternalError extends ThawError {
  static override readonly name: string = "InternalError";
}
