/** Node's comparison of memory, in the global that no bundler puts a replacement for. */
interface Compares {
  readonly Buffer?: { compare(a: Uint8Array, b: Uint8Array): number };
}

/** Bytes up to which a call of the system's comparison takes longer than to look at each. */
const few = 64;

/** Whether two arrays have the same bytes: by the system's own comparison where there is one, else by words. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length <= few) {
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }
  const { Buffer } = globalThis as Compares;
  if (Buffer !== undefined) return Buffer.compare(a, b) === 0;
  const aligned = a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0;
  let at = aligned ? a.length & ~15 : 0;
  if (aligned) {
    const [x, y] = [a, b].map(({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, at / 4));
    if (!equalWords(x!, y!)) return false;
  }
  while (at < a.length && a[at] === b[at]) at++;
  return at === a.length;
}

/** Of a multiple of four words. */
function equalWords(x: Int32Array, y: Int32Array): boolean {
  for (let i = 0; i < x.length; i += 4) {
    const differing =
      (x[i]! ^ y[i]!) | (x[i + 1]! ^ y[i + 1]!) | (x[i + 2]! ^ y[i + 2]!) | (x[i + 3]! ^ y[i + 3]!);
    if (differing !== 0) return false;
  }
  return true;
}
