import { ArgumentError } from "../base/errors.ts";

/**
 * Throws `ArgumentError` where two members of a module have one path. It is what selectors, optimizers and files know a
 * member by: one of the two would be lost.
 */
export function refuseSharedPaths(
  root: string,
  visits: readonly { readonly path: string; readonly members: readonly (readonly [string, object])[] }[],
): void {
  const found = new Map<string, object>();
  for (const { path: prefix, members } of visits)
    for (const [name, member] of members) {
      const path = prefix === "" ? name : `${prefix}.${name}`;
      const other = found.get(path) ?? member;
      if (other !== member)
        throw new ArgumentError(
          `${root}: "${path}" is the path of two members, as fields with a dot in their names make it; give one of the fields another name`,
        );
      found.set(path, member);
    }
}
