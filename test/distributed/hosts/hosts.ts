import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { lineWriter } from "../../../src/distributed/line-writer.ts";
import { prefixedLines, taggedLines } from "../../../src/distributed/mpi/tagged-lines.ts";

/** Namespaces of one's own: as any user where that may be one's own root, or as root. */
const apart = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
const ways = [["--user", "--map-root-user", ...apart], apart];

/** What a machine must let one do for two hosts to be made of it. */
const attempt = "mount -t tmpfs none /run && ip netns add a && ip link add a0 netns a type veth peer name b0";

/** How namespaces are made here, or, as text, why they cannot be. */
export function namespaces(): readonly string[] | string {
  if (process.platform !== "linux")
    return `two hosts are network namespaces, and this is ${process.platform}`;
  const problems: string[] = [];
  for (const way of ways) {
    const { status, stderr, error } = spawnSync("unshare", [...way, "sh", "-c", attempt], {
      encoding: "utf8",
    });
    if (status === 0) return way;
    problems.push((error?.message ?? stderr).trim());
  }
  return `two hosts are network namespaces, and none can be made here (${problems.join("; ")})`;
}

/** Two ranks, each on a host of its own. */
export interface Hosts {
  /** Pulls the cable of the second one. */
  cut(): void;
  /** Ends all that is left. */
  end(): Promise<void>;
}

/** Runs a script on two hosts by a program of MPI; `output` is given each line that a rank writes. */
export function onTwoHosts(
  way: readonly string[],
  mpirun: "mpirun.openmpi" | "mpirun.mpich",
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  output: (rank: number | null, line: string) => void,
): Hosts {
  const script = fileURLToPath(new URL("two-hosts.sh", import.meta.url));
  const child: ChildProcess = spawn("unshare", [...way, "bash", script, mpirun, ...command], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  for (const stream of [child.stdout!, child.stderr!]) {
    const ofRanks = (mpirun === "mpirun.openmpi" ? taggedLines : prefixedLines)(output);
    const lines = lineWriter(ofRanks.write);
    stream.on("data", lines.write);
    stream.on("end", () => {
      lines.end();
      ofRanks.end();
    });
  }
  return {
    cut: () => void child.stdin!.write("cut\n"),
    end: () => {
      child.kill("SIGKILL");
      return ended;
    },
  };
}
