// Apart from what makes readers, whose declarations are in terms of Node's types: public ones name this.

/** A file that is read by position. */
export interface FileReader {
  readonly size: number;
  /** Fills `into` from a byte of the file on; gives how many bytes there were. */
  read(into: Uint8Array, from: number): number;
  close(): void;
}
