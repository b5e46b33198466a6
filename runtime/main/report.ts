/**
 * What a start says: each part, whether it is real or a stand-in, and a line to try.
 *
 * In: lines about parts. Out: a readable block on a terminal, one JSON line elsewhere. Never here: secrets.
 */
import type { Log } from "../ground/log.ts";
import type { Readiness } from "../ingress/start.ts";
import { commandLine } from "../provision/command-line.ts";

export interface PartLine {
  readonly part: string;
  readonly what: string;
  /** True for what only stands in for the real thing. */
  readonly standIn: boolean;
}

export interface StartReport {
  readonly app: string;
  readonly elapsedMs: number;
  readonly readiness: Readiness;
  readonly parts: readonly PartLine[];
  readonly tryLine: string | null;
}

export function tellStart(
  report: StartReport,
  to: { readonly terminal: boolean; readonly log: Log; readonly write: (text: string) => void },
): void {
  if (!to.terminal) {
    to.log.info("up", {
      app: report.app,
      elapsed_ms: Math.round(report.elapsedMs),
      ready: report.readiness.ready,
      ...(!report.readiness.ready && { state: report.readiness.parts }),
      parts: report.parts,
      ...(report.tryLine !== null && { try: report.tryLine }),
    });
    return;
  }
  const width = Math.max(...report.parts.map(({ part }) => part.length));
  const lines = report.parts.map(
    ({ part, what, standIn }) => `  ${part.padEnd(width)}  ${standIn ? "stand-in  " : "real      "}${what}`,
  );
  const seconds = (report.elapsedMs / 1_000).toFixed(1);
  const missing = Object.entries(report.readiness.parts).map(([part, state]) => `${part} ${state}`);
  to.write(
    [
      "",
      report.readiness.ready
        ? `${report.app} is up after ${seconds} s`
        : `${report.app} is started after ${seconds} s and waits: ${missing.join(", ")}`,
      ...lines,
      ...(report.tryLine === null ? [] : ["", "Try:", `  ${report.tryLine}`]),
      "",
      `Ctrl-C stops this process; \`${commandLine("stop")}\` ends what stays behind.`,
      "",
      "",
    ].join("\n"),
  );
}
