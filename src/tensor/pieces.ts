import { allocate, bytesOf, dtypes, type TypedArray, windowBytes, windowsOf } from "../base/dtype.ts";
import { Hash } from "../base/hash.ts";
import { sizeOf } from "../base/shape.ts";
import type { Storage } from "../engine/storage.ts";
import type { Region } from "./region.ts";

/** Where elements that do not lie side by side are gathered, so many bytes at a time. */
const gathered = new Uint8Array(2 ** 15);

/** Bytes side by side from which on they are looked at where they are. */
const longRun = 2 ** 12;

/**
 * Shows `see` the bytes of a stored value, or of a region of it in row-major order, piece by piece and without a copy of
 * all. A piece has whole elements, is aligned to them, and is there until the next.
 */
export function eachPiece(storage: Storage, region: Region | null, see: (piece: Uint8Array) => void): void {
  const whole = region === null ? wholeOf(storage) : null;
  if (whole === null) eachOfSome(storage, region, see);
  else see(whole);
}

/** The bytes of a stored value that are one piece; null where they are none, or several. */
export const wholeOf = (storage: Storage): Uint8Array | null =>
  storage.byteLength <= windowBytes ? storage.bytes() : null;

function eachOfSome(storage: Storage, region: Region | null, see: (piece: Uint8Array) => void): void {
  const size = dtypes[storage.dtype].bytes;
  const { byteLength } = storage;
  let window = storage.bytes(0, Math.min(windowBytes, byteLength));
  if (window === null) {
    gathered.fill(0);
    for (let left = (region?.numel ?? storage.length) * size; left > 0; left -= gathered.length)
      see(gathered.subarray(0, Math.min(left, gathered.length)));
    return;
  }
  if (region === null) {
    for (const [from, length] of windowsOf(byteLength)) see(storage.bytes(from, length)!);
    return;
  }
  /** Where the window begins. */
  let first = 0;
  /** Where a byte is in the window, which has so many from there on. */
  const inWindow = (at: number, length: number): number => {
    if (at < first || at + length > first + window!.length) {
      first = at;
      window = storage.bytes(at, Math.min(windowBytes, byteLength - at));
    }
    return at - first;
  };
  let filled = 0;
  const show = (): void => {
    if (filled > 0) see(gathered.subarray(0, filled));
    filled = 0;
  };
  eachRun(region, (from, to) => {
    const [begin, length] = [from * size, (to - from) * size];
    if (length >= longRun) {
      show();
      for (const [from, part] of windowsOf(length)) {
        const at = inWindow(begin + from, part);
        see(window!.subarray(at, at + part));
      }
      return;
    }
    if (filled + length > gathered.length) show();
    for (let at = inWindow(begin, length), end = at + length; at < end; ) gathered[filled++] = window![at++]!;
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
  if (region === null) return storage.read();
  const copy = allocate(storage.dtype, region.numel);
  copyInto(bytesOf(copy), storage, region);
  return copy;
}

/** Copies the bytes of a stored value, or of a region of it. */
export function copyInto(into: Uint8Array, storage: Storage, region: Region | null): void {
  const whole = region === null ? wholeOf(storage) : null;
  if (whole !== null) into.set(whole);
  else {
    let at = 0;
    eachPiece(storage, region, (piece) => {
      into.set(piece, at);
      at += piece.length;
    });
  }
}
