import type { ContractKernel, Value } from "../../plan/kernel.ts";
import type { ArgsLayout } from "../args.ts";
import { argsOf } from "../body.ts";
import type { CContext } from "./access.ts";
import type { CTarget } from "./target.ts";
import type { scratchLayout, Tile } from "./tiling.ts";
import { emitValues } from "./value.ts";
import type { CWriter } from "./writer.ts";

/** What the functions of a contraction's unit have in common. */
export interface ContractParts {
  readonly kernel: ContractKernel;
  readonly target: CTarget;
  readonly w: CWriter;
  readonly layout: ArgsLayout;
  /** Elements in a vector. */
  readonly lanes: number;
  readonly tile: Tile;
  readonly scratch: ReturnType<typeof scratchLayout>;
  /** Bytes from one row of sums to the next. */
  readonly sumStride: number;
}

/** Reads words of the argument block into constants, each once in a function. */
export function argumentReader({ layout, w, kernel }: ContractParts) {
  const known = new Map<number, string>();
  const word = (at: number): string => {
    let name = known.get(at);
    if (name === undefined) known.set(at, (name = w.define("i64", `args[${at}]`, "s")));
    return name;
  };
  return {
    /** Along m, n or k: 0, 1, 2. */
    stride: (access: number, d: number) => word(layout.accesses[access]!.strides[kernel.batch + d]!),
    axisStride: (access: number) => word(layout.accesses[access]!.axisStride),
    hasAxis: (access: number) => layout.accesses[access]!.axisStride >= 0,
  };
}

/** Whether an access has no memory: the place itself is what is there. */
export const isIndex = ({ prologue, epilogue }: ContractKernel, access: number): boolean =>
  [...prologue, ...epilogue].some((v) => v.op === "index" && v.access === access);

/** Defines `at[access]` moved to some place: a pointer, or for an access without memory the index there. */
export function placed({ kernel, w }: ContractParts, access: number, moved: string): string {
  if (isIndex(kernel, access)) return w.define("i64", `(i64)at[${access}] + ${moved}`, "x");
  const name = w.name("p");
  w.line(`char *const ${name} = at[${access}] + ${moved};`);
  return name;
}

/** The values of a body that are the same everywhere, which some roots need: defined before any loop. */
export function emitScalars(
  ctx: CContext,
  body: readonly Value[],
  roots: readonly number[],
): ReadonlyMap<number, string> {
  const same: boolean[] = [];
  for (const value of body) {
    const own =
      "access" in value ? ctx.accesses[value.access]!.level === "scalar" : value.op !== "accumulator";
    same.push(own && argsOf(value).every((a) => same[a]!));
  }
  const wanted = new Set<number>();
  const visit = (i: number): void => {
    if (same[i]!) wanted.add(i);
    else for (const a of argsOf(body[i]!)) visit(a);
  };
  for (const root of roots) visit(root);
  const list = [...wanted];
  const names = emitValues({ ...ctx, live: null }, body, list, new Map());
  return new Map(list.map((v, i) => [v, names[i]!]));
}
