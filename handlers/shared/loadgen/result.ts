/**
 * A run as data, for other programs and for the page.
 *
 * In: what was asked for, the report. Out: one object that is plain JSON. Never here: questions, answers, addresses with
 * secrets.
 */
import type { LoadReport } from "./ledger.ts";

export interface LoadResult {
  readonly format: "cauce-load-1";
  /** ISO 8601. */
  readonly startedAt: string;
  /** The door, without user and password. */
  readonly url: string;
  /** What was asked for, in words: names and values as on the command line. */
  readonly options: Readonly<Record<string, string>>;
  readonly questions: number;
  readonly report: LoadReport;
}

export function resultOf(of: {
  readonly startedMs: number;
  readonly url: string;
  readonly options: Readonly<Record<string, string>>;
  readonly questions: number;
  readonly report: LoadReport;
}): LoadResult {
  const { origin } = new URL(of.url);
  return {
    format: "cauce-load-1",
    startedAt: new Date(of.startedMs).toISOString(),
    url: origin,
    options: of.options,
    questions: of.questions,
    report: of.report,
  };
}
