/**
 * Gets fetching going again after it was paused.
 *
 * In: partitions whose fetching was just resumed. Out: a request to the leader of each, whose answer nobody needs.
 * librdkafka pauses the fetching of ALL partitions of a member while it answers a rebalance, also of those that stay, and
 * does not wake its broker threads when it resumes them: one that meanwhile found nothing to fetch sleeps on for up to 1 s
 * (`rd_kafka_max_block_ms`; seen with 2.16). A request wakes the thread that sends it. Never here: what was paused, and why.
 */
import type { TopicPartition } from "../bus/bus.ts";
import { edgeEntries } from "./offsets.ts";
import type { Pump } from "./pump.ts";
import type { Requests } from "./requests.ts";

/** Wakes the leaders' threads. Waits for nothing; a broker that is away is woken by its return. */
export function wakeBrokers(work: {
  readonly pump: Pump;
  /** Must listen for the answers of OFFSET_ANSWERS. */
  readonly requests: Requests;
  readonly partitions: readonly TopicPartition[];
}): void {
  if (work.partitions.length === 0 || work.pump.closed) return;
  edgeEntries({ ...work, edge: "latest", timeoutMs: REQUEST_MS }).catch(() => undefined);
}

const REQUEST_MS = 2_000;
