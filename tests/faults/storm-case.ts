/**
 * Case 31 as a case: what must hold of a retry storm, whatever the machine. How long the calm handler's messages take meanwhile is a
 * measurement: `bun run bench schedule-storm`.
 */
import { LIMITS } from "../../runtime/engine/limits.ts";
import { testLibrary } from "../kafka/library.ts";
import { type FaultCase, type Services, verdictOf } from "./case.ts";
import type { RunVerdict } from "./run.ts";
import { runStorm } from "./storm.ts";

const MESSAGES = 20_000;
const BEFORE_MS = 1_000;
/** The rule's base is 1 s with a fifth of jitter either way: of 20,000 draws the middle nine tenths are spread over 0.36 s. */
const LEAST_SPREAD_MS = 300;

async function storm({ brokers, databaseUrl }: Services): Promise<RunVerdict> {
  const { path } = await testLibrary();
  const seen = await runStorm({
    brokers,
    databaseUrl,
    library: path,
    messages: MESSAGES,
    beforeMs: BEFORE_MS,
  });
  const complaints: string[] = [];
  if (seen.repeats > 0) complaints.push(`${seen.repeats} were done more than once`);
  const { records: most } = LIMITS.settledTogether;
  if (seen.largestInsert > most)
    complaints.push(`${seen.largestInsert} rows were written at once; ${most} are the bound`);
  const delays = seen.firstDelaysMs.toSorted((a, b) => a - b);
  const at = (share: number) => delays[Math.floor(delays.length * share)] ?? 0;
  if (delays.length < MESSAGES) complaints.push(`only ${delays.length} messages were scheduled again`);
  if (at(0.95) - at(0.05) < LEAST_SPREAD_MS)
    complaints.push(`retries are not spread: from ${at(0.05)} to ${at(0.95)} ms`);
  if (seen.during.length === 0) complaints.push("the calm handler stood still");
  return verdictOf({ successes: MESSAGES, complaints });
}

export const stormCases: readonly FaultCase[] = [
  {
    number: 31,
    title: `a retry storm: ${MESSAGES.toLocaleString("en")} messages meet a rate limit again and again`,
    expected: "bounded inserts, retries spread out, the other handler goes on; drained after; each done once",
    quick: false,
    run: storm,
  },
];
