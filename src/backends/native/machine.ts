import type { CTarget } from "../../targets/c/target.ts";
import { node } from "./node.ts";

/** What kernels may use of a processor. */
export interface Processor {
  /** What tells it apart from others, as far as code goes. */
  readonly id: string;
  /** Names of its instruction sets, as Linux lists them less underscores; empty where they are not listed. */
  readonly features: readonly string[];
  readonly caches: Pick<CTarget, "l1" | "l2">;
}

/** Instruction sets that Linux calls otherwise than compilers do. */
const renamed: Readonly<Record<string, string>> = {
  bmi: "bmi1",
  lzcnt: "abm",
  sse3: "pni",
  dotprod: "asimddp",
  rcpc: "lrcpc",
};

/** The instruction set that a compiler's macro stands for, as `Processor.features` has it. */
export function featureOf(macro: string): string {
  const name = macro
    .replace(/^__(ARM_FEATURE_)?/, "")
    .replaceAll("_", "")
    .toLowerCase();
  return renamed[name] ?? name;
}

/** A size as Linux writes it: "48K". */
function sizeOf(text: string): number {
  const [, digits, unit] = /^(\d+)([KM]?)/.exec(text) ?? [];
  return Number(digits ?? 0) * (unit === "M" ? 2 ** 20 : unit === "K" ? 2 ** 10 : 1);
}

/** The file's text, or "" where there is none. */
function read(file: string): string {
  try {
    return node().fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Data caches of the first core; usual sizes where the system does not say. */
function cachesOf(): Processor["caches"] {
  const caches = { l1: 32 * 1024, l2: 512 * 1024 };
  for (let i = 0; i < 8; i++) {
    const folder = `/sys/devices/system/cpu/cpu0/cache/index${i}`;
    const level = read(`${folder}/level`).trim();
    if (level === "") break;
    const size = sizeOf(read(`${folder}/size`));
    if (size === 0 || read(`${folder}/type`).trim() === "Instruction") continue;
    if (level === "1") caches.l1 = size;
    if (level === "2") caches.l2 = size;
  }
  return caches;
}

/** This machine's processor. */
export function processor(): Processor {
  const { os } = node();
  const info = read("/proc/cpuinfo");
  const line = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(info)?.[1] ?? "";
  const flags = line("flags") || line("Features");
  const model = os.cpus()[0]?.model ?? "unknown";
  return {
    id: [process.platform, process.arch, model, flags].join("\n"),
    features: flags === "" ? [] : flags.replaceAll("_", "").split(" "),
    caches: cachesOf(),
  };
}
