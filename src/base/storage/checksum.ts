type Crc = (bytes: Uint8Array, before: number) => number;

/** The remainders of each byte, for browsers; made when first asked for. */
let table: Uint32Array | null = null;

function tabulated(bytes: Uint8Array, before: number): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
    return remainder;
  });
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}

let crc32: Crc | null = null;

/** zlib's, which takes less time than a copy; what computes the same where there is none. */
function native(): Crc {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => { crc32?: Crc } } };
  return process?.getBuiltinModule?.("node:zlib").crc32 ?? tabulated;
}

/**
 * The CRC-32 of pieces of bytes one after the other, as 8 hexadecimal digits. Whatever differs in up to 32 bits next to
 * each other, as a flipped bit does, has another one; other damage has the same once in 2^32 times.
 */
export function checksumOf(pieces: Iterable<Uint8Array>): string {
  crc32 ??= native();
  let crc = 0;
  for (const piece of pieces) crc = crc32(piece, crc);
  return crc.toString(16).padStart(8, "0");
}
