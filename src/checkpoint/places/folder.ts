import type { TensorSource } from "../open.ts";

/** A folder with a model's files, wherever it is: on this machine, at an address, in the storage of a page. */
export interface Folder {
  /** Its path or address. */
  readonly name: string;
  /** What a file in it is called in errors. */
  nameOf(file: string): string;
  /** The bytes of a file; null where there is none. Throws `FileError` for one that cannot be read, or has more bytes. */
  read(file: string, mostBytes: number): Promise<Uint8Array | null>;
  /** Says that a file is not there, and what is known about why. */
  lacks(file: string): string;
  /** Names of the files that are there, of some that may be. */
  which(files: readonly string[]): Promise<ReadonlySet<string>>;
  /** Whether it is there; of one without a list, whether it has a config. */
  isThere(): Promise<boolean>;
  /** Whether it has `model.safetensors`, which is not read. */
  hasWeights(): Promise<boolean>;
  /** The tensors of its safetensors file, or of its index. Throws `SafetensorsError` where there are none, or broken ones. */
  tensors(): Promise<TensorSource>;
  /** A folder in it. */
  folder(name: string): Folder;
}
