/**
 * A load report for people.
 *
 * In: a report. Out: lines, and the exit code. Never here: writing them anywhere.
 */
import type { LoadReport } from "./ledger.ts";
import type { StepReport } from "./series.ts";

export function tableOf(report: LoadReport): string {
  const { latencyMs } = report;
  const rows: readonly (readonly [string, string])[] = [
    ["asked", `${report.asked} (${report.distinct} different questions)`],
    ["queued", String(report.queued)],
    ["hits", String(report.hits)],
    ["no new one", `${(100 * report.withoutGeneration).toFixed(1)} % of asks needed no new generation`],
    ["answered", String(report.answered)],
    ["failed", String(report.failed)],
    ...optional("cancelled", report.cancelled),
    ...optional("refused", report.refused),
    ...optional("sent again", report.resent),
    ...optional("retry waits", report.waits),
    ["unaccounted", String(report.unaccounted.length)],
    ["p50", latencyMs ? `${latencyMs.p50} ms` : "-"],
    ["p95", latencyMs ? `${latencyMs.p95} ms` : "-"],
    ["p99", latencyMs ? `${latencyMs.p99} ms  (from intended send time to stored answer)` : "-"],
    ["took", `${(report.tookMs / 1_000).toFixed(1)} s`],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`);
  for (const step of report.steps) lines.push(stepLine(step));
  if (report.steps.length > 1) {
    const knee = report.kneePerSecond;
    lines.push(knee === undefined ? "  the first step did not keep up" : `  keeps up to ${knee}/s`);
  }
  for (const [reason, times] of Object.entries(report.reasons)) lines.push(`  ${times} × ${reason}`);
  for (const name of report.unaccounted.slice(0, MOST_NAMED)) lines.push(`  UNACCOUNTED ${name}`);
  const more = report.unaccounted.length - MOST_NAMED;
  if (more > 0) lines.push(`  … and ${more} more`);
  return `${lines.join("\n")}\n`;
}

function stepLine({ ratePerSecond, asked, answered, latencyMs, keptUp }: StepReport): string {
  const latency = latencyMs
    ? `p50 ${latencyMs.p50} ms  p95 ${latencyMs.p95} ms  p99 ${latencyMs.p99} ms`
    : "-";
  const books = `${answered} of ${asked} answered`;
  return `  at ${String(ratePerSecond).padStart(5)}/s   ${latency}  ${books}${keptUp ? "" : "  does not keep up"}`;
}

const MOST_NAMED = 20;

/** 0 when every ask was taken and every question ended; 1 when one is unaccounted for or was refused. */
export function exitCodeOf(report: LoadReport): 0 | 1 {
  return report.unaccounted.length === 0 && report.refused === 0 ? 0 : 1;
}

function optional(name: string, value: number): readonly (readonly [string, string])[] {
  return value === 0 ? [] : [[name, String(value)]];
}
