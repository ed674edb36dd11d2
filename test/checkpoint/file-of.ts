/** The bytes of a safetensors file with tensors of dtypes that thaw does not write. */
export function fileOf(
  tensors: Record<string, { dtype: string; values: ArrayBufferView & { length: number }; shape?: number[] }>,
): Uint8Array {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, values, shape }]) => {
      const begin = end;
      end += values.byteLength;
      return [name, { dtype, shape: shape ?? [values.length], data_offsets: [begin, end] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const data = Object.values(tensors).map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  // A copy of its own, aligned as a file's bytes are.
  return new Uint8Array(Buffer.concat([length, padded, ...data]));
}
