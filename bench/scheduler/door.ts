/**
 * The process under test: the store and the scheduler as the runtime has them, on a real topic; or the claim loop of claim-loop.ts.
 *
 * In: the work as JSON. Out: `ready`, then one line of JSON when so many rows were acknowledged (claimed, for the loop): how late
 * each was, when the last one was, how many came early. Never here: filling.
 */
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { OutgoingRecord } from "../../runtime/bus/bus.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { openLibrary } from "../../runtime/kafka/index.ts";
import { startScheduler } from "../../runtime/scheduler/scheduler.ts";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { quantile } from "../harness/statistics.ts";
import { runClaimLoop } from "./claim-loop.ts";
import { APP } from "./table.ts";

export interface DoorWork {
  readonly url: string;
  readonly brokers: string;
  readonly library: string;
  readonly topic: string;
  readonly rows: number;
  /** `loop`: plain SQL that publishes nothing. */
  readonly kind: "runtime" | "loop";
  readonly batch?: number;
  /** Counts of rows at which the time is noted. */
  readonly marks?: readonly number[];
}

export interface DoorResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** Acknowledged before they were due by this machine's clock, which is the database's. */
  readonly early: number;
  readonly repeated: number;
  /** When the last was acknowledged, in ms since 1970. */
  readonly lastMs: number;
  /** When so many had been acknowledged as each of the work's marks says. */
  readonly marksMs: readonly number[];
  readonly cpuUs: number;
}

/** Rows of one batch, whose n begins at 0. */
const MOST_OF_A_BATCH = 1_000_000;
const COMMIT_WITHIN_MS = 300;

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "") as DoorWork);

async function main({
  url,
  brokers,
  library,
  topic,
  rows,
  kind,
  batch,
  marks = [],
}: DoorWork): Promise<void> {
  process.stdin.on("end", () => process.exit(1)).resume();
  const late: number[] = [];
  /** Due time in µs, which tells batches apart, and n as one number: a million texts would cost the collector more than the runtime does. */
  const seen = new Set<number>();
  let sinceMs = NaN;
  const marksMs: number[] = [];
  const cpu = process.cpuUsage();
  const decoder = new TextDecoder();
  const note = (values: readonly (Uint8Array | null)[]) => {
    const nowMs = performance.timeOrigin + performance.now();
    for (const value of values) {
      const { dueMs, n } = JSON.parse(decoder.decode(value ?? undefined)) as { dueMs: number; n: number };
      late.push(nowMs - dueMs);
      if (Number.isNaN(sinceMs)) sinceMs = dueMs;
      seen.add(Math.round((dueMs - sinceMs) * 1_000) * MOST_OF_A_BATCH + n);
    }
    while (seen.size >= (marks[marksMs.length] ?? Infinity)) marksMs.push(nowMs);
    if (seen.size >= rows) finish(nowMs);
  };
  const finish = (lastMs: number) => {
    const { user, system } = process.cpuUsage(cpu);
    const result: DoorResult = {
      p50Ms: quantile(late, 0.5),
      p99Ms: quantile(late, 0.99),
      longestMs: Math.max(...late.slice(-100_000)),
      early: late.filter((each) => each < 0).length,
      repeated: late.length - seen.size,
      lastMs,
      marksMs,
      cpuUs: user + system,
    };
    // After the delete of these rows has committed.
    setTimeout(() => {
      process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
    }, COMMIT_WITHIN_MS);
  };
  if (kind === "loop") {
    void runClaimLoop({ url, app: APP, topic, rows, taken: note });
  } else {
    const store = await createPostgresStore({ url, app: APP, clock: systemClock });
    const bus = await createKafkaBus({ library: openLibrary(library), brokers, clientId: "bench" });
    const publish = async (records: readonly OutgoingRecord[]) => {
      await bus.publish(records);
      note(records.map(({ value }) => value));
    };
    startScheduler({ store, topics: [topic], publish, ...(batch === undefined ? {} : { batch }) });
  }
  process.stdout.write("ready\n");
}
