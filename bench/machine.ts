import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";

/** The machine that results are of. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  os: string;
  pinned: boolean;
}

/** Describes this machine. */
export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: allowedCores()?.length ?? processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${release()} ${arch()}`,
    pinned: allowedCores() !== undefined,
  };
}

/** The first so many cores that this process may use, as `taskset` wants them; undefined outside Linux. */
export function coresFor(threads: number): string | undefined {
  return allowedCores()?.slice(0, threads).join(",");
}

function allowedCores(): number[] | undefined {
  let status: string;
  try {
    status = readFileSync("/proc/self/status", "utf8");
  } catch {
    return undefined;
  }
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1];
  return list?.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}
