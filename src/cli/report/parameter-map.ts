import type { EpochParameters } from "../../models/fit/run-parameters.ts";
import { escaped, htmlTable } from "./html.ts";

type Entry = EpochParameters["parameters"][number];

/** What became of a parameter in an epoch: it was trained, for the first time after it had been frozen, or rested. */
type ParameterState = "trained" | "thawed" | "frozen";

/** What became of each parameter, epoch by epoch. */
function statesOf(epochs: readonly EpochParameters[]): Map<string, ParameterState[]> {
  const states = new Map<string, ParameterState[]>();
  for (const [i, { parameters }] of epochs.entries())
    for (const { path, steps } of parameters) {
      const before = epochs[i - 1]?.parameters.find((other) => other.path === path)?.steps ?? 0;
      const own = states.get(path) ?? [];
      const isThawed = own.at(-1) === "frozen";
      own.push(steps === before ? "frozen" : isThawed ? "thawed" : "trained");
      states.set(path, own);
    }
  return states;
}

/** The map of parameters by epochs: the deeper a cell's colour, the further the parameter is from where it began. */
export function parameterMap(epochs: readonly EpochParameters[]): string {
  if (epochs.length === 0) return "<p>No epoch has ended yet.</p>";
  const states = statesOf(epochs);
  const byEpoch = epochs.map(({ parameters }) => new Map(parameters.map((entry) => [entry.path, entry])));
  const most = Math.max(...epochs.flatMap(({ parameters }) => parameters.map(({ moved }) => moved ?? 0)));
  const head = epochs.map(({ epoch }) => `<th>${epoch}</th>`).join("");
  const rows = [...states].map(
    ([path, own]) =>
      `<tr><td>${escaped(path)}</td>${own.map((state, i) => mapCell(byEpoch[i]!.get(path)!, state, most)).join("")}</tr>`,
  );
  return `<p>Each row is a parameter, each column an epoch. A number says how far the parameter is from where it began (L2); the deeper its colour, the further. A dot: it rested, and did not move. A frame: it was trained there for the first time after it had rested.</p>
<div class="scroll"><table class="map"><thead><tr><th>parameter</th>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function mapCell({ path, moved, steps, whileFrozen }: Entry, state: ParameterState, most: number): string {
  const title = `${path}: ${steps} steps, moved by ${moved ?? "an unknown length"}${whileFrozen === null ? "" : `, ${whileFrozen} while frozen`}`;
  const deep = most > 0 ? Math.sqrt((moved ?? 0) / most) : 0;
  const classes = [state, ...(whileFrozen === "changed" ? ["changed"] : [])].join(" ");
  const text =
    state === "frozen" && !moved ? "·" : moved === null ? "?" : String(Number(moved.toPrecision(2)));
  const colour = moved ? ` style="background: rgba(var(--moved), ${(0.1 + 0.5 * deep).toFixed(2)})"` : "";
  return `<td class="${classes}"${colour} title="${escaped(title)}">${text}</td>`;
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
