import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../../scripts/sources.ts";
import { readSettings } from "../../src/base/settings.ts";
import { built } from "../built.ts";
import { temporaryFolder } from "../checkpoint/folder.ts";

const limit = { timeout: 120_000 };
const folder = join(root, "docs/clusters");
const text = (name: string): string => readFileSync(join(folder, name), "utf8");

/** What is read of an MPIJob here. */
interface Container {
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Replica {
  readonly replicas: number;
  readonly template: {
    readonly spec: {
      readonly containers: readonly [Container];
      readonly volumes?: readonly { readonly name: string }[];
    };
  };
}
interface MpiJob {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: {
    readonly slotsPerWorker: number;
    readonly sshAuthMountPath: string;
    readonly mpiReplicaSpecs: { readonly Launcher: Replica; readonly Worker: Replica };
  };
}

test("variables of thaw's in these files are variables that it reads", () => {
  const sources = readFileSync(join(root, "src/base/settings.ts"), "utf8");
  for (const name of readdirSync(folder))
    for (const [variable] of text(name).matchAll(/THAW_[A-Z_]+/g)) {
      expect(sources).toContain(`"${variable}"`);
      const [, value] = new RegExp(`${variable}="?(\\d+)\\b`).exec(text(name)) ?? [];
      if (value !== undefined) expect(() => readSettings({ [variable]: value })).not.toThrow();
    }
});

test(
  "sbatch's script runs the program on ranks, again after a failure, from the last checkpoint",
  limit,
  async () => {
    expect(spawnSync("bash", ["-n", join(folder, "train.sbatch")]).status).toBe(0);
    const at = temporaryFolder();
    const [bin, log] = [join(at, "bin"), join(at, "log")];
    mkdirSync(bin);
    // In place of Slurm's: it notes how it is called, fails the first time, and starts ranks as MPI does.
    writeFileSync(
      join(bin, "srun"),
      `#!/usr/bin/env bash
echo "$THAW_GROUP_RESTARTS $SRUN_CPUS_PER_TASK $*" >> ${log}
while [[ $1 == -* ]]; do shift; done
steps=$([ "$THAW_GROUP_RESTARTS" = 0 ] && echo 100 || echo 200)
mpirun.openmpi --allow-run-as-root --oversubscribe -n "$SLURM_NTASKS" "$@" "$steps" && [ "$steps" = 200 ]
`,
    );
    chmodSync(join(bin, "srun"), 0o755);
    built("index.js");
    const { stdout, stderr } = await promisify(execFile)("bash", [join(folder, "train.sbatch")], {
      cwd: folder,
      env: {
        ...process.env,
        PATH: `${bin}:${process.env.PATH}`,
        SLURM_JOB_ID: "7",
        SLURM_NTASKS: "2",
        SLURM_CPUS_PER_TASK: "16",
        SLURM_SUBMIT_DIR: at,
      },
    });
    expect(stderr).toContain("srun has failed (1 of 4)");
    expect(stdout).toMatch(
      /2 ranks by mpi, from step 0\nstep 100: [\d.]+\n[\s\S]*2 ranks by mpi, from step 100\nstep 200: [\d.]+\n/,
    );
    const calls = readFileSync(log, "utf8").trim().split("\n");
    expect(calls).toEqual(
      [0, 1].map(
        (restart) =>
          `${restart} 16 --mpi=pmix --kill-on-bad-exit=0 --wait=60 --label node train.mjs ${at}/checkpoints`,
      ),
    );
  },
);

test("the MPIJob starts what is in its image on as many ranks as it has workers", () => {
  const { apiVersion, kind, spec } = parse(text("mpijob.yaml")) as MpiJob;
  expect([apiVersion, kind]).toEqual(["kubeflow.org/v2beta1", "MPIJob"]);
  const { Launcher, Worker } = spec.mpiReplicaSpecs;
  const [[launcher], [worker]] = [Launcher.template.spec.containers, Worker.template.spec.containers];
  const { args } = launcher;
  expect(Number(args[args.indexOf("-n") + 1])).toBe(Worker.replicas * spec.slotsPerWorker);
  expect(launcher.image).toBe(worker.image);
  const volumes = Worker.template.spec.volumes!.map(({ name }) => name);
  for (const { name } of worker.volumeMounts!) expect(volumes).toContain(name);
  expect(args.at(-1)).toBe(worker.volumeMounts![0]!.mountPath);

  // Every instruction is one of Docker's, and what is copied is there.
  const instructions = text("Dockerfile")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of instructions) expect(line).toMatch(/^(FROM|RUN|COPY|WORKDIR|USER) /);
  const copied = instructions.flatMap((line) => {
    const words = line.split(/ +/).filter((word) => !word.startsWith("--"));
    return words[0] === "COPY" ? [[words[1]!, words[2]!] as const] : [];
  });
  for (const [from] of copied) expect(existsSync(join(folder, from))).toBe(true);
  expect(copied).toContainEqual(["sshd_config", worker.args.at(-1)]);
  expect(args.slice(args.indexOf("node"))).toEqual(["node", "/app/train.mjs", "/checkpoints"]);
  expect(copied).toContainEqual(["train.mjs", "."]);
  expect(text("sshd_config")).toContain(`HostKey ${spec.sshAuthMountPath}/id_rsa`);
});
