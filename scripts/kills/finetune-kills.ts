import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tinyFolder, tinyTexts } from "../../test/models/tiny-folder.ts";

/** What a run leaves, of which each bit must be that of a run that was never killed. */
const left = ["model.safetensors", "metrics.jsonl", "parameters.jsonl", "README.md", "config.json"];

/** What `killFinetune` has seen. */
export interface FinetuneKills {
  /** Runs that have come to their end, after any number of kills. */
  readonly ended: number;
  /** Kills by how far the run had come: before it had a folder, while it trained, or once the model was written. */
  readonly before: number;
  readonly training: number;
  readonly after: number;
}

/**
 * Has `thaw finetune` of a command line killed so many times at random instants, and started again with `--resume` each
 * time; whenever it comes to its end, it begins anew. Throws where it does not go on, or an end has other bits than that
 * of a run that was left alone.
 */
export async function killFinetune(
  program: string,
  kills: number,
  tell: (line: string) => void = () => {},
): Promise<FinetuneKills> {
  const top = mkdtempSync(join(tmpdir(), "thaw-finetune-kills-"));
  try {
    const [base, data] = [tinyFolder(top), tinyTexts(top)];
    const options =
      "--val-split 0.2 --batch 4 --epochs 6 --lr 1e-2 --seed 1 --save-every 3 --metric macro-f1";
    const args = ["finetune", base, "--data", data, "--trains", "classifier.**", "--trains", "**.layer.1.**"];
    const run = (name: string, killAfter: number | null): Promise<Ended> => {
      mkdirSync(join(top, name), { recursive: true });
      const out = join(top, name, "tuned");
      return ended([program, ...args, ...options.split(" "), "--out", out, "--resume"], killAfter);
    };
    const start = performance.now();
    const straight = await run("straight", null);
    if (straight.status !== 0) throw new Error(`a run that was left alone has ended with ${straight.text}`);
    const duration = performance.now() - start;
    const wanted = left.map((name) => readFileSync(join(top, "straight/tuned", name)));
    const seen = { ended: 0, before: 0, training: 0, after: 0 };
    const killed = (): number => seen.before + seen.training + seen.after;
    for (let last = false; !last; ) {
      last = killed() >= kills;
      const folder = join(top, "killed/tuned");
      const { status, text } = await run("killed", last ? null : 1.5 * Math.random() * duration);
      if (status === null) {
        if (existsSync(join(folder, "model.safetensors"))) seen.after++;
        else if (existsSync(join(folder, "run.json"))) seen.training++;
        else seen.before++;
        if (killed() % 10 === 0) tell(`${killed()} kills, ${seen.ended} ends`);
        continue;
      }
      if (status !== 0) throw new Error(`after ${killed()} kills it does not go on: ${text}`);
      for (const [i, name] of left.entries())
        if (!readFileSync(join(folder, name)).equals(wanted[i]!))
          throw new Error(`after ${killed()} kills, ${name} is not that of a run that was left alone`);
      seen.ended++;
      rmSync(folder, { recursive: true });
    }
    return seen;
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

interface Ended {
  /** Null where it was killed. */
  readonly status: number | null;
  readonly text: string;
}

/** Runs a command to its end, or kills it after so many milliseconds. */
function ended(args: readonly string[], killAfter: number | null): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, THAW_BACKEND: "wasm", THAW_THREADS: "1" },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes) => {
      text += bytes;
    });
  const timer = killAfter === null ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
  return new Promise((resolve) =>
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, text });
    }),
  );
}
