import { allocate, dtypes, type TypedArray } from "../base/dtype.ts";
import { Hash } from "../base/hash.ts";
import { sizeOf } from "../base/shape.ts";
import { bytesOf, type Storage } from "../engine/storage.ts";
import type { Region } from "../tensor/region.ts";

/** Where elements that do not lie side by side are gathered, so many bytes at a time. */
const gathered = new Uint8Array(2 ** 15);

/** Bytes side by side from which on they are looked at where they are. */
const longRun = 2 ** 12;

/**
 * Shows `see` the bytes of a stored value, or of a region of it in row-major order, piece by piece and without a copy of
 * all. A piece has whole elements, is aligned to them, and is there until the next.
 */
export function eachPiece(storage: Storage, region: Region | null, see: (piece: Uint8Array) => void): void {
  const size = dtypes[storage.dtype].bytes;
  const bytes = storage.bytes();
  if (bytes === null) {
    gathered.fill(0);
    for (let left = (region?.numel ?? storage.length) * size; left > 0; left -= gathered.length)
      see(gathered.subarray(0, Math.min(left, gathered.length)));
    return;
  }
  // Memory of a backend may be longer than what is in it.
  const length = storage.length * size;
  if (region === null) {
    see(bytes.length === length ? bytes : bytes.subarray(0, length));
    return;
  }
  let filled = 0;
  const show = (): void => {
    if (filled > 0) see(gathered.subarray(0, filled));
    filled = 0;
  };
  eachRun(region, (from, to) => {
    let [at, end] = [from * size, to * size];
    if (end - at >= longRun) {
      show();
      see(bytes.subarray(at, end));
      return;
    }
    if (filled + end - at > gathered.length) show();
    while (at < end) gathered[filled++] = bytes[at++]!;
  });
  show();
}

/** The elements of a region that lie side by side, each time from a first one up to and without an end. */
function eachRun({ dim, indices, shape }: Region, see: (from: number, to: number) => void): void {
  const inner = dim === null ? 1 : sizeOf(shape.slice(dim + 1));
  const outer = dim === null ? 1 : sizeOf(shape.slice(0, dim));
  const stride = dim === null ? 0 : shape[dim]! * inner;
  for (let o = 0; o < outer; o++)
    for (let i = 0, next = 0; i < indices.length; i = next) {
      for (next = i + 1; next < indices.length && indices[next] === indices[next - 1]! + 1; ) next++;
      see(o * stride + indices[i]! * inner, o * stride + (indices[next - 1]! + 1) * inner);
    }
}

/** The hash of a stored value, or of a region of it. */
export function hashOf(storage: Storage, region: Region | null): string {
  const hash = new Hash();
  eachPiece(storage, region, (piece) => void hash.add(piece));
  return hash.text;
}

/** A copy of a stored value's elements, or of a region of them, in row-major order. */
export function copyOf(storage: Storage, region: Region | null): TypedArray {
  const copy = allocate(storage.dtype, region?.numel ?? storage.length);
  copyInto(bytesOf(copy), storage, region);
  return copy;
}

/** Copies the bytes of a stored value, or of a region of it. */
export function copyInto(into: Uint8Array, storage: Storage, region: Region | null): void {
  if (region === null) {
    storage.readBytes(into);
    return;
  }
  let at = 0;
  eachPiece(storage, region, (piece) => {
    into.set(piece, at);
    at += piece.length;
  });
}
