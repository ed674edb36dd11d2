import type { EpochParameters } from "../../models/fit/run-parameters.ts";
import { escaped, htmlTable } from "./html.ts";

type Entry = EpochParameters["parameters"][number];

/** What became of a parameter in the updates of an epoch. */
interface ParameterState {
  /** It was trained, after it had been frozen in the epoch before or in a part of this one; or it rested. */
  readonly is: "trained" | "thawed" | "frozen";
  /** How many of the epoch's updates trained it, and how many there were. */
  readonly updates: number;
  readonly of: number;
}

/** What became of each parameter, epoch by epoch. */
function statesOf(epochs: readonly EpochParameters[]): Map<string, ParameterState[]> {
  const states = new Map<string, ParameterState[]>();
  for (const [i, { step, parameters }] of epochs.entries()) {
    const last = epochs[i - 1];
    const before = new Map(last?.parameters.map((one) => [one.path, one.steps]));
    const of = step - (last?.step ?? 0);
    for (const { path, steps } of parameters) {
      const own = states.get(path) ?? [];
      const updates = steps - (before.get(path) ?? 0);
      const rested = own.at(-1);
      // One that was trained until then, and rests for the end of an epoch, was not thawed in it.
      const isThawed = rested?.is === "frozen" || (updates < of && rested === undefined);
      own.push({ is: updates === 0 ? "frozen" : isThawed ? "thawed" : "trained", updates, of });
      states.set(path, own);
    }
  }
  return states;
}

/** The map of parameters by epochs: the deeper a cell's colour, the further the parameter is from where it began. */
export function parameterMap(epochs: readonly EpochParameters[]): string {
  if (epochs.length === 0) return "<p>No epoch has ended yet.</p>";
  const states = statesOf(epochs);
  const byEpoch = epochs.map(({ parameters }) => new Map(parameters.map((entry) => [entry.path, entry])));
  const most = Math.max(...epochs.flatMap(({ parameters }) => parameters.map(({ moved }) => moved ?? 0)));
  const head = epochs.map(({ epoch, step }) => `<th>${epoch}<br>to ${step}</th>`).join("");
  const rows = [...states].map(
    ([path, own]) =>
      `<tr><td>${escaped(path)}</td>${own.map((state, i) => mapCell(byEpoch[i]!.get(path)!, state, most)).join("")}</tr>`,
  );
  return `<p>Each row is a parameter, each column an epoch, with its last update. A number says how far the parameter is from where it began (L2); the deeper its colour, the further. A dot: it rested, and did not move. A frame: it was trained there after it had rested, in the epoch before or in the first updates of this one; ½: only in some of the updates.</p>
<div class="scroll"><table class="map"><thead><tr><th>parameter</th>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function mapCell(
  { path, moved, steps, whileFrozen }: Entry,
  { is: state, updates, of }: ParameterState,
  most: number,
): string {
  const title = `${path}: ${steps} steps, ${updates} in the ${of} updates of the epoch, moved by ${moved ?? "an unknown length"}${whileFrozen === null ? "" : `, ${whileFrozen} while frozen`}`;
  const deep = most > 0 ? Math.sqrt((moved ?? 0) / most) : 0;
  const classes = [state, ...(whileFrozen === "changed" ? ["changed"] : [])].join(" ");
  const isPart = updates > 0 && updates < of;
  const number =
    state === "frozen" && !moved ? "·" : moved === null ? "?" : String(Number(moved.toPrecision(2)));
  const colour = moved ? ` style="background: rgba(var(--moved), ${(0.1 + 0.5 * deep).toFixed(2)})"` : "";
  return `<td class="${classes}"${colour} title="${escaped(title)}">${number}${isPart ? " ½" : ""}</td>`;
}

/** What was never trained, whether it is unchanged, and what its bits are. */
export function unchangedTable(
  epochs: readonly EpochParameters[],
  digests: ReadonlyMap<string, string>,
): string {
  const rested = (epochs.at(-1)?.parameters ?? []).filter(({ steps }) => steps === 0);
  if (rested.length === 0) return "<p>Every parameter was trained.</p>";
  const rows = rested.map(({ path, whileFrozen }) => [path, whileFrozen ?? "–", digests.get(path) ?? "–"]);
  return `<p>${rested.length} parameters were never trained. The digest is the SHA-256 of their bytes in model.safetensors.</p><div class="scroll">${htmlTable(["parameter", "while frozen", "SHA-256"], rows)}</div>`;
}
