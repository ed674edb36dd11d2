type Crc = (bytes: Uint8Array, before: number) => number;

// These two are text for another thread too: they use nothing but their arguments and what every program has.

/** Computes CRC-32 of bytes that follow others: zlib's, which takes less time than a copy, or what computes the same. */
export function makeCrc(): Crc {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => { crc32?: Crc } } };
  const native = process?.getBuiltinModule?.("node:zlib").crc32;
  if (native !== undefined) return native;
  // The remainders of each byte.
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
    return remainder;
  });
  return (bytes, before) => {
    let crc = ~before;
    for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 255]!;
    return ~crc >>> 0;
  };
}

/** The CRC-32 of pieces one after the other, as `checksumOf` gives it. */
export function checksumBy(crc32: Crc, pieces: Iterable<Uint8Array>): string {
  let crc = 0;
  for (const piece of pieces) crc = crc32(piece, crc);
  return crc.toString(16).padStart(8, "0");
}

let crc32: Crc | null = null;

/**
 * The CRC-32 of pieces of bytes one after the other, as 8 hexadecimal digits. Whatever differs in up to 32 bits next to
 * each other, as a flipped bit does, has another one; other damage has the same once in 2^32 times.
 */
export function checksumOf(pieces: Iterable<Uint8Array>): string {
  crc32 ??= makeCrc();
  return checksumBy(crc32, pieces);
}
