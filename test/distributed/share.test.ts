import { afterEach, expect, test } from "vitest";
import { availableCores } from "../../src/backends/cores.ts";
import { settings } from "../../src/base/settings.ts";
import { crowdText, shareOf } from "../../src/distributed/divide-machine.ts";
import { startedRanks } from "../../src/distributed/mpi/library.ts";

const { threads, maxMemory } = settings;

afterEach(() => {
  settings.threads = threads;
  settings.maxMemory = maxMemory;
});

test("how many ranks there are is what has started them says", () => {
  expect(startedRanks({})).toBeNull();
  expect(startedRanks({ OMPI_COMM_WORLD_SIZE: "4" })).toBe(4);
  expect(startedRanks({ PMI_SIZE: "3", PMI_RANK: "1" })).toBe(3);
  // Under Slurm, of a step that has fewer tasks than its job.
  expect(startedRanks({ PMIX_RANK: "0", SLURM_STEP_NUM_TASKS: "2", SLURM_NTASKS: "8" })).toBe(2);
  expect(startedRanks({ PMI_RANK: "1", SLURM_NTASKS: "8" })).toBe(8);
  expect(startedRanks({ SLURM_NTASKS: "8" })).toBeNull();
});

test("memory is divided among the ranks of a machine, and cores among those that share them", () => {
  settings.maxMemory = 2 ** 30;
  settings.threads = undefined;
  const cores = availableCores();
  expect(shareOf(2)).toEqual({ threads: Math.max(1, Math.floor(cores / 2)), memory: 2 ** 29 });
  expect(shareOf(4, 1)).toEqual({ threads: cores, memory: 2 ** 28 });
  settings.threads = 8;
  expect(shareOf(4, 1).threads).toBe(2);
  expect(shareOf(16).threads).toBe(1);
  expect(crowdText(cores)).toBeNull();
  expect(crowdText(cores + 1)).toMatch(new RegExp(`^${cores + 1} ranks share ${cores} core`));
});
