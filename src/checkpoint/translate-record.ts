import { type MatchOptions, pathIn } from "../nn/compare-state.ts";
import { asFormer, isFormer } from "../optim/parameter-names.ts";
import type { CheckpointRecord } from "./record.ts";

/** A record whose paths are called as those of a module that is loaded with these options. */
export function translateRecord(record: CheckpointRecord, options: MatchOptions): CheckpointRecord {
  if (options.prefix === undefined && options.rename === undefined) return record;
  const { frozen, optimizer } = record;
  const byPath = <T>(of: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(of).map(([name, value]) => [translated(name, options), value]));
  return {
    ...record,
    frozen: byPath(frozen),
    ...(optimizer && {
      optimizer: {
        ...optimizer,
        state: byPath(optimizer.state),
        paramGroups: optimizer.paramGroups.map((group) => ({
          ...group,
          params: group.params.map((name) => translated(name, options)),
        })),
        ...(optimizer.tied && {
          tied: Object.fromEntries(
            Object.entries(byPath(optimizer.tied)).map(([path, name]) => [path, translated(name, options)]),
          ),
        }),
      },
    }),
  };
}

/** A name of a parameter, or of a region of it, as the module's path; one that lacks the prefix stays what it is. */
function translated(name: string, options: MatchOptions): string {
  if (isFormer(name)) return asFormer(translated(name.slice(asFormer("").length), options));
  const end = name.search(/[[(]/);
  const path = end < 0 ? name : name.slice(0, end);
  return (pathIn(options, path) ?? path) + name.slice(path.length);
}
