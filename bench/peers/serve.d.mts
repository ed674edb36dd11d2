/** A peer: what it is, and how it builds a workload. */
export interface Peer {
  /** What the first line printed says, beside `ready: true`. */
  ready: { system: string; version: string; backend: string; threads: number; node: string };
  /** Builds a workload and returns the function that does one iteration of it. */
  build(workload: string): Iterate | Promise<Iterate>;
  /** Whether a workload's step is recorded once and replayed. */
  captured(workload: string): boolean;
  /** More to say in each answer. */
  measure?(): { engineMiB: number };
  /** What times are taken by, in milliseconds; wall time unless given. */
  clock?(): number;
}

/** One iteration; the number is the loss where the workload has one. */
export type Iterate = () => Promise<number | undefined> | number | undefined;

export function peerOptions(): { variant: string; threads: number };
export function matmulSize(workload: string): number | undefined;
export function makeWorkload(
  workload: string,
  makers: Record<string, () => Iterate>,
  matmul: (size: number) => Iterate,
): Iterate;
export function serve(peer: Peer): Promise<void>;
