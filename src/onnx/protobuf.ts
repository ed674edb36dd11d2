/** Bytes of a message: in pieces, so that tensors of many megabytes are not copied. */
export class Message {
  readonly pieces: Uint8Array[] = [];
  length = 0;

  #push(bytes: Uint8Array): this {
    this.pieces.push(bytes);
    this.length += bytes.length;
    return this;
  }

  #key(field: number, wireType: 0 | 2 | 5): this {
    return this.#push(varint(BigInt((field << 3) | wireType)));
  }

  /** A whole number; negative ones take ten bytes. */
  int(field: number, value: number): this {
    return this.#key(field, 0).#push(varint(BigInt.asUintN(64, BigInt(value))));
  }

  /** A number of f32. */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#key(field, 5).#push(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#key(field, 2)
      .#push(varint(BigInt(value.length)))
      .#push(value);
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** A message in this one. */
  message(field: number, value: Message): this {
    this.#key(field, 2).#push(varint(BigInt(value.length)));
    for (const piece of value.pieces) this.#push(piece);
    return this;
  }
}

/** Seven bits a byte, the lowest first; all but the last have their highest bit set. */
function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0n; rest >>= 7n)
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
  return Uint8Array.from(bytes);
}
