/**
 * Sends a message every 10 ms until its stdin ends, each with the time at which it was due to be sent.
 *
 * In: `CalmWork` as JSON in its first argument. Out: records. Never here: who reads them.
 */
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import { openLibrary } from "../../runtime/kafka/index.ts";

export interface CalmWork {
  readonly brokers: string;
  /** Path of librdkafka. */
  readonly library: string;
  readonly topic: string;
}

export const CALM_EVERY_MS = 10;

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "") as CalmWork);

async function main({ brokers, library, topic }: CalmWork): Promise<void> {
  const over = new AbortController();
  process.stdin.on("end", () => over.abort()).resume();
  const bus = await createKafkaBus({ library: openLibrary(library), brokers, clientId: "calm" });
  const utf8 = new TextEncoder();
  const startMs = performance.timeOrigin + performance.now();
  for (let n = 0; !over.signal.aborted; n++) {
    const dueMs = startMs + n * CALM_EVERY_MS;
    const earlyMs = dueMs - performance.timeOrigin - performance.now();
    if (earlyMs > 0) await Bun.sleep(earlyMs);
    void bus.publish([{ topic, key: null, value: utf8.encode(JSON.stringify({ n, dueMs })), headers: [] }]);
  }
  await bus.close(1_000);
  process.exit(0);
}
