/**
 * A run as one HTML page: it needs no other file and no network, follows the reader's light or dark, and can be read aloud.
 *
 * In: a result. Out: HTML as text; everything that came as text is escaped. Never here: scripts.
 */
import { escape } from "../charts/frame.ts";
import { chartStyle } from "../charts/style.ts";
import { picturesOf, type Picture } from "./pictures.ts";
import type { LoadResult } from "./result.ts";

export function pageOf(result: LoadResult): string {
  const { report } = result;
  const title = `Load on ${result.url}, ${result.startedAt.slice(0, 16).replace("T", " ")} UTC`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<style>${chartStyle(":root")}${STYLE}</style>
</head>
<body>
<header><h1>${escape(title)}</h1><p>${escape(sentenceOf(result))}</p></header>
<main>
<section aria-labelledby="sums"><h2 id="sums">In numbers</h2><dl class="tiles">${tilesOf(result).map(tile).join("")}</dl>
${reasonsOf(result)}</section>
${report.steps.length > 1 ? stepsTable(result) : ""}
${picturesOf(report).map(figure).join("\n")}
<section aria-labelledby="how"><h2 id="how">How it was asked</h2>${table(
    ["option", "value"],
    Object.entries(result.options),
    "Options of the load generator",
  )}</section>
</main>
<footer><p>Open loop: asks go out at their intended times whatever the answers do, and latency counts from the intended time to the stored answer.</p></footer>
</body>
</html>
`;
}

function sentenceOf({ report, questions }: LoadResult): string {
  const { asked, distinct, unaccounted, refused, tookMs } = report;
  const books =
    unaccounted.length === 0 && refused === 0
      ? "Every ask is accounted for."
      : `${unaccounted.length} asks are unaccounted for and ${refused} were refused.`;
  return `${asked} asks about ${distinct} of ${questions} questions in ${(tookMs / 1_000).toFixed(1)} s. ${books}`;
}

function tilesOf({ report }: LoadResult): readonly (readonly [string, string])[] {
  const { asked, latencyMs, kneePerSecond } = report;
  const share = (part: number) => `${((100 * part) / Math.max(1, asked)).toFixed(1)} %`;
  return [
    ["answered at once (hits)", share(report.hits)],
    ["without a new generation", `${(100 * report.withoutGeneration).toFixed(1)} %`],
    ["median latency", latencyMs ? `${latencyMs.p50} ms` : "none"],
    ["95th percentile", latencyMs ? `${latencyMs.p95} ms` : "none"],
    ["99th percentile", latencyMs ? `${latencyMs.p99} ms` : "none"],
    ["questions failed", String(report.failed)],
    ["sent again", String(report.resent)],
    ["waits for a retry", String(report.waits)],
    ...(kneePerSecond === undefined ? [] : [["keeps up to", `${kneePerSecond}/s`] as const]),
  ];
}

function tile([name, value]: readonly [string, string]): string {
  return `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`;
}

function reasonsOf({ report }: LoadResult): string {
  const entries = Object.entries(report.reasons).map(([why, times]) => [why, String(times)] as const);
  return entries.length === 0
    ? ""
    : table(["why asks were refused or questions failed", "times"], entries, "Reasons");
}

function stepsTable({ report }: LoadResult): string {
  const rows = report.steps.map(({ ratePerSecond, asked, answered, hits, latencyMs, keptUp }) => [
    String(ratePerSecond),
    String(asked),
    String(answered),
    String(hits),
    String(latencyMs?.p50 ?? ""),
    String(latencyMs?.p95 ?? ""),
    String(latencyMs?.p99 ?? ""),
    keptUp ? "yes" : "no",
  ]);
  const columns = ["asks per second", "asked", "answered", "hits", "p50 ms", "p95 ms", "p99 ms", "kept up"];
  return `<section aria-labelledby="steps"><h2 id="steps">Steps of the ramp</h2><p>A step keeps up when 99 % of its asks were answered and neither its median nor its 95th percentile is more than three times the first step's and 100 ms more.</p>${table(columns, rows, "Steps of the ramp")}</section>`;
}

function figure({ name, title, svg, columns, rows }: Picture): string {
  return (
    `<section aria-label="${escape(title)}"><figure id="${name}">${svg}</figure>` +
    `<details><summary>${escape(title)}: the numbers</summary>${table(columns, rows, title)}</details></section>`
  );
}

function table(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  caption: string,
): string {
  const head = columns.map((name) => `<th scope="col">${escape(name)}</th>`).join("");
  const body = rows
    .map((cells) => `<tr>${cells.map((cell) => `<td>${escape(String(cell))}</td>`).join("")}</tr>`)
    .join("");
  return `<div class="wide" tabindex="0" role="region" aria-label="${escape(caption)}"><table><caption>${escape(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

const STYLE =
  "body{margin:0 auto;max-width:760px;padding:24px 20px 48px;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}" +
  "h1{font-size:22px;line-height:1.25;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px}header p,footer p{color:var(--soft);margin:0}" +
  "figure{margin:28px 0 4px}footer{margin-top:32px;border-top:1px solid var(--grid);padding-top:12px;font-size:14px}" +
  ".tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(160px,1fr));gap:10px;margin:0}" +
  ".tiles div{border:1px solid var(--grid);border-radius:8px;padding:10px 12px}dt{color:var(--soft);font-size:13px}dd{margin:0;font-size:21px;font-weight:600;font-variant-numeric:tabular-nums}" +
  "summary{cursor:pointer;color:var(--soft);font-size:14px}.wide{overflow:auto;max-height:340px}" +
  "table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;margin:8px 0}caption{position:absolute;left:-9999px}" +
  "th,td{border-bottom:1px solid var(--grid);padding:3px 12px 3px 0;text-align:left}th{color:var(--soft);font-weight:600}" +
  "summary:focus-visible,.wide:focus-visible{outline:2px solid var(--c1);outline-offset:2px}";
