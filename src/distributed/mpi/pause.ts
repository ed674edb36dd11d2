/** Made when it is first needed: a page may have no shared memory, and has no use for this. */
let nobody: Int32Array | null = null;

/** Has this thread sleep in place for so many milliseconds. */
export function pause(milliseconds: number): void {
  nobody ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(nobody, 0, 0, milliseconds);
}
