import { GroupError } from "../base/errors.ts";
import { hashBytes } from "../base/hash.ts";
import { table } from "../base/table.ts";
import type { Group } from "../distributed/group.ts";
import { commit } from "../engine/realize.ts";
import type { Module } from "../nn/module.ts";
import { StateTensor } from "../optim/state-tensor.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { hashOf } from "../tensor/pieces.ts";
import { notesOf, type ParameterReport, type Report, reportCells, reportHead } from "./report.ts";
import type { StepOptimizer } from "./step-optimizer.ts";

/** What a step has done to one parameter on each rank of its group. */
export interface GatheredParameter {
  readonly path: string;
  /** What `report()` says of it there, by rank. */
  readonly ranks: readonly ParameterReport[];
  /** Whether its value and its optimizer state have the same bits on all ranks. */
  readonly isAlike: boolean;
}

/** The reports of a group's ranks; as text, a table with one row where ranks agree, and one for each kind where not. */
export class GatheredReport {
  readonly parameters: readonly GatheredParameter[];

  constructor(parameters: readonly GatheredParameter[]) {
    this.parameters = parameters;
  }

  toString(): string {
    const [first, ...columns] = reportHead;
    const rows = this.parameters.flatMap(({ path, ranks, isAlike }) => {
      const byCells = new Map<string, { readonly cells: readonly string[]; readonly of: number[] }>();
      for (const [rank, report] of ranks.entries()) {
        const cells = reportCells(report);
        const key = JSON.stringify(cells);
        const row = byCells.get(key) ?? { cells, of: [] };
        byCells.set(key, row);
        row.of.push(rank);
      }
      return [...byCells.values()].map(({ cells, of }) => [
        path,
        of.length === ranks.length ? "all" : of.join(", "),
        ...cells.slice(1),
        isAlike ? "the same" : "differ",
      ]);
    });
    const lines = table([first!, "ranks", ...columns, "bits of ranks"], rows);
    return [...lines, ...notesOf(this.parameters.flatMap(({ ranks }) => ranks))].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** Gathers what all ranks report, with hashes of what they have. Throws `GroupError` where their parameters differ. */
export async function gatherReport(
  report: Report,
  module: Module,
  optimizer: StepOptimizer,
  group: Group | undefined,
): Promise<GatheredReport> {
  commit();
  const own = {
    parameters: report.parameters,
    hashes: module.namedParameters().map(([, p]) => bitsOf(p, optimizer)),
  };
  const all = group === undefined ? [own] : await group.gather(own);
  for (const [rank, { parameters }] of all.entries())
    if (parameters.map(({ path }) => path).join("\n") !== own.parameters.map(({ path }) => path).join("\n"))
      throw new GroupError(
        `gatheredReport(): rank ${rank} has other parameters than rank ${group!.rank}; make the same module on all ranks`,
      );
  return new GatheredReport(
    own.parameters.map(({ path }, at) => ({
      path,
      ranks: all.map(({ parameters }) => parameters[at]!),
      isAlike: all.every(({ hashes }) => hashes[at] === all[0]!.hashes[at]),
    })),
  );
}

/** A hash of a parameter's value and its optimizer state. */
function bitsOf(p: Parameter, optimizer: StepOptimizer): string {
  const parts = optimizer
    .residentParts(p)
    .map(({ region, state }) => [
      region?.text ?? "",
      ...Object.entries(state).map(([name, value]) => [
        name,
        value instanceof StateTensor ? hashOf(value.resident.storage, null) : String(value),
      ]),
    ]);
  return hashBytes(new TextEncoder().encode(JSON.stringify([hashOf(p.resident.storage, null), parts])));
}
