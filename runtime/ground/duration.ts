/**
 * Durations as people write them: "250ms", "30s", "10m", "2h", "7d".
 *
 * In: a literal that TypeScript checks. Out: whole milliseconds. Never here: dates, clocks, time zones.
 */
import { CauceError } from "./errors.ts";

export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** The longest delay that is accepted: 366 days. A longer one is a mistake, not a plan. */
export const LONGEST_DURATION_MS = 366 * 86_400_000;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration, rounded to whole ones.
 * @throws CauceError `declaration_invalid` for anything malformed, negative or longer than 366 days.
 */
export function durationMs(duration: Duration): number {
  const match = FORM.exec(duration);
  const ms = match ? Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]) : NaN;
  if (!(ms <= LONGEST_DURATION_MS)) {
    throw new CauceError(
      "declaration_invalid",
      `"${duration}" is no duration: write a number and a unit (ms, s, m, h, d) up to 366d, such as "30s"`,
    );
  }
  return ms;
}

/** A duration for people: 2100 → "2.1 s", 90000 → "1.5 min". */
export function describeMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${trim(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${trim(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${trim(ms / 3_600_000)} h`;
  return `${trim(ms / 86_400_000)} d`;
}

function trim(value: number): string {
  return String(Math.round(value * 10) / 10);
}
