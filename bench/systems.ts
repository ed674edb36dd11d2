import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One system to measure, in one of its variants. */
export interface System {
  /** Its name in results. */
  name: "thaw" | "pytorch" | "pytorch-fused" | "pytorch-compile" | "jax-js" | "tfjs";
  /** How tables call it. */
  label: string;
  /** The backend it runs on, where the peer does not say. */
  backend: string;
  /** Command and arguments of its peer process; `threads` is how many threads it may use. */
  command(threads: number): string[];
  /** How to install what it needs. */
  install: string;
  /** Whether its matrix product is that of another variant. */
  sharesMatmul?: boolean;
}

const peers = new URL("./peers/", import.meta.url);
const inNpm = "npm ci --ignore-scripts --prefix bench";
const inPython =
  "python3 -m venv bench/.venv && bench/.venv/bin/pip install torch==2.13.0 (or --python PATH)";

/** All systems, the library's own first. */
export function allSystems(options: { python?: string }): System[] {
  const python = options.python ?? defaultPython();
  return [
    thaw("captured", "thaw (captured)"),
    thaw("uncaptured", "thaw (uncaptured)"),
    pytorch(python, "eager", "pytorch"),
    { ...pytorch(python, "fused", "pytorch-fused"), sharesMatmul: true },
    { ...pytorch(python, "compile", "pytorch-compile"), sharesMatmul: true },
    {
      name: "jax-js",
      label: "jax-js",
      backend: "wasm",
      command: (threads) => [modernNode(), peer("jax.mjs"), "--serve", "--threads", `${threads}`],
      install: inNpm,
    },
    {
      name: "tfjs",
      label: "tfjs",
      backend: "wasm",
      command: (threads) => [process.execPath, peer("tfjs.mjs"), "--serve", "--threads", `${threads}`],
      install: inNpm,
    },
  ];
}

function thaw(variant: string, label: string): System {
  return {
    name: "thaw",
    label,
    backend: "wasm",
    command: (threads) => [
      process.execPath,
      "--import",
      "tsx",
      peer("thaw.ts"),
      "--serve",
      "--variant",
      variant,
      "--threads",
      `${threads}`,
    ],
    install: "npm ci && npm run build",
  };
}

function pytorch(python: string, variant: string, name: System["name"]): System {
  return {
    name,
    label: name,
    backend: "cpu",
    command: (threads) => [
      python,
      peer("pytorch.py"),
      "--serve",
      "--variant",
      variant,
      "--threads",
      `${threads}`,
    ],
    install: variant === "compile" ? `${inPython}, and a C++ compiler (g++)` : inPython,
  };
}

function peer(file: string): string {
  return fileURLToPath(new URL(file, peers));
}

function defaultPython(): string {
  const own = fileURLToPath(new URL("./.venv/bin/python", import.meta.url));
  return existsSync(own) ? own : "python3";
}

let found: string | undefined;

/** A Node that jax-js runs on, 22 or newer: this one, or one that npx brings. */
function modernNode(): string {
  if (Number(process.versions.node.split(".")[0]) >= 22) return process.execPath;
  const npx = ["-y", "node@24", "-p", "process.execPath"];
  return (found ??= execFileSync("npx", npx, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim());
}
