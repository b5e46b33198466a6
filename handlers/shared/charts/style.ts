/**
 * Colours and type of all charts, for light and dark paper.
 *
 * In: nothing. Out: CSS. Lines differ by dash as well as by colour, and every colour has at least 3 : 1 on its paper.
 * Never here: fonts or files from anywhere else.
 */

const LIGHT = {
  paper: "#ffffff",
  ink: "#1b1f24",
  soft: "#57606a",
  grid: "#d8dee4",
  c1: "#0b62a4",
  c2: "#b8480f",
  c3: "#0d7a5f",
  c4: "#8a3f9e",
  c5: "#7a6a00",
};
const DARK = {
  paper: "#14181d",
  ink: "#e6edf3",
  soft: "#9aa6b2",
  grid: "#333c46",
  c1: "#6cb6ff",
  c2: "#f69d50",
  c3: "#57d3a6",
  c4: "#d8a6ff",
  c5: "#e3cf4f",
};

/** How many series can be told apart. */
export const SERIES_COLOURS = 5;
export const DASHES = ["", "7 4", "2 3", "10 3 2 3", "4 2"] as const;

/** Variables on `scope` (":root", or "svg" for a picture of its own), and the classes that charts use. */
export function chartStyle(scope: string): string {
  const series = Array.from({ length: SERIES_COLOURS }, (_, index) => index + 1)
    .map((number) => `.s${number}{stroke:var(--c${number})}.f${number}{fill:var(--c${number})}`)
    .join("");
  return (
    `${scope}{${variables(LIGHT)}}@media(prefers-color-scheme:dark){${scope}{${variables(DARK)}}}` +
    `svg.chart{display:block;max-width:100%;height:auto;font:12px system-ui,sans-serif}` +
    `svg.chart text{fill:var(--ink)}svg.chart text.soft{fill:var(--soft)}svg.chart text.title{font-size:14px;font-weight:600}` +
    `.paper{fill:var(--paper)}.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}` +
    `.line{fill:none;stroke-width:2;stroke-linejoin:round}.mark{stroke:var(--ink);stroke-dasharray:3 3}` +
    `.bar{stroke:var(--paper);stroke-width:1}svg.chart text.inside{fill:var(--paper);font-size:11px}${series}`
  );
}

function variables(colours: Readonly<Record<string, string>>): string {
  return Object.entries(colours)
    .map(([name, value]) => `--${name}:${value}`)
    .join(";");
}
