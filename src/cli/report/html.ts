const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text in HTML, in content and in attributes, in which none of it is markup. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => entities[sign]!);

/** A table; cells are HTML already where they are marked as such, and text otherwise. */
export function htmlTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cell = (value: string | number): string =>
    `<td${typeof value === "number" ? ' class="number"' : ""}>${escaped(String(value))}</td>`;
  return `<table><thead><tr>${headings.map((heading) => `<th>${escaped(heading)}</th>`).join("")}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map(cell).join("")}</tr>`)
    .join("")}</tbody></table>`;
}

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --faint: #59636e; --a: #0969da; --b: #bc4c00; --c: #1a7f37; --d: #8250df; --moved: 9, 105, 218; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --faint: #9198a1; --a: #58a6ff; --b: #f0883e; --c: #3fb950; --d: #bc8cff; --moved: 88, 166, 255; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; } p, figcaption { color: var(--faint); }
figure { margin: 1rem 0; overflow-x: auto; } svg { width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--faint); } svg .axis { stroke: var(--line); }
table { border-collapse: collapse; font-size: 13px; } th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; } .scroll { overflow-x: auto; }
.map td { text-align: center; min-width: 2.2rem; } .map td:first-child { text-align: left; font-family: ui-monospace, monospace; }
.frozen { color: var(--faint); } .thawed { outline: 2px solid var(--b); outline-offset: -2px; } .changed { background: #cf222e; color: #fff; }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
.a { stroke: var(--a); } .b { stroke: var(--b); } .c { stroke: var(--c); } .d { stroke: var(--d); } circle.a { fill: var(--a); } circle.b { fill: var(--b); } circle.c { fill: var(--c); } circle.d { fill: var(--d); } path.a, path.b, path.c, path.d { fill: none; stroke-width: 1.5; }
.key { font-size: 13px; } .key span { margin-right: 1.2rem; } .key i { display: inline-block; width: 1.2rem; border-top: 3px solid; vertical-align: middle; margin-right: .3rem; }
.key .a { color: var(--a); } .key .b { color: var(--b); } .key .c { color: var(--c); } .key .d { color: var(--d); }
`;

/** A page that needs nothing else, and may fetch nothing. */
export const htmlPage = (title: string, sections: readonly string[]): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${sections.join("\n")}
</body>
</html>
`;
