/** What is asked of the machine about its cores; Node's, unless a test says otherwise. */
export interface Machine {
  /** Cores that the system lets this process run on. */
  readonly parallelism: number;
  /** The text of a file of the system's; "" where there is none. */
  read(path: string): string;
}

function thisMachine(): Machine {
  const { process, navigator } = globalThis as {
    process?: { getBuiltinModule?: (id: string) => unknown };
    navigator?: { hardwareConcurrency?: number };
  };
  const os = process?.getBuiltinModule?.("node:os") as { availableParallelism(): number } | undefined;
  const fs = process?.getBuiltinModule?.("node:fs") as
    | { readFileSync(path: string, encoding: "utf8"): string }
    | undefined;
  return {
    parallelism: os?.availableParallelism() ?? navigator?.hardwareConcurrency ?? 1,
    read(path) {
      try {
        return fs?.readFileSync(path, "utf8") ?? "";
      } catch {
        return "";
      }
    },
  };
}

/**
 * Cores that this process may use: those it may run on (affinity), no more than what its control groups, and those
 * around them, give it time for. A share of a core that is left over counts for nothing: a thread that is stopped in
 * the middle of its work is waited for.
 */
export function availableCores(machine: Machine = thisMachine()): number {
  const quotas = machine
    .read("/proc/self/cgroup")
    .split("\n")
    .flatMap((line) => {
      const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (controllers === undefined || path === undefined) return [];
      if (controllers === "") return quotasOf(["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], path, second);
      if (!controllers.split(",").includes("cpu")) return [];
      return quotasOf(["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"], path, first);
    });
  // Of the second version, in the folder at `at`: "50000 100000", or "max 100000".
  function second(at: string): number {
    const [quota, period] = machine.read(`${at}/cpu.max`).split(" ").map(Number);
    return quota! / period!;
  }
  // Of the first version; -1 is no quota.
  function first(at: string): number {
    const [quota, period] = ["quota", "period"].map((what) =>
      Number(machine.read(`${at}/cpu.cfs_${what}_us`)),
    );
    return quota! / period!;
  }
  // Files that are not there, and no quota, give what is no number above 0.
  const bounds = quotas.filter((cores) => cores > 0 && cores < Number.POSITIVE_INFINITY);
  return Math.max(1, Math.floor(Math.min(machine.parallelism, ...bounds)));
}

/**
 * The quotas of a control group and of all around it. A container may see the paths of the machine around it, but its
 * own group as the root of what is mounted: the root is always looked at.
 */
function quotasOf(mounts: readonly string[], path: string, quotaAt: (folder: string) => number): number[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return mounts.flatMap((mount) =>
    Array.from({ length: names.length + 1 }, (_, depth) =>
      quotaAt([mount, ...names.slice(0, depth)].join("/")),
    ),
  );
}
