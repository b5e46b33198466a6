/**
 * The librdkafka properties of a consumer: what every one has, what the two group protocols need, what its owner says over them.
 */
import type { ClientConfig } from "./client.ts";

export const CONSUMER_DEFAULTS: ClientConfig = {
  "enable.auto.commit": false,
  "enable.auto.offset.store": false,
  // A group that lost its place is told so; it never jumps to either end by itself.
  "auto.offset.reset": "error",
  "isolation.level": "read_committed",
  // The biggest lever of all (default 1000): how soon a drained queue is filled again.
  "fetch.queue.backoff.ms": 10,
  // A partition that is resumed waits for the fetch under way; the default of 500 ms would be felt.
  "fetch.wait.max.ms": 100,
  "queued.max.messages.kbytes": 16_384,
  "max.poll.interval.ms": 300_000,
  "reconnect.backoff.max.ms": 2_000,
  "statistics.interval.ms": 1_000,
};

const CLASSIC: ClientConfig = {
  "group.protocol": "classic",
  "partition.assignment.strategy": "cooperative-sticky",
  "session.timeout.ms": 10_000,
  "heartbeat.interval.ms": 1_000,
};

/** @param group What makes it a member: over everything else. */
export function consumerConfig(
  own: ClientConfig,
  group: {
    readonly id: string;
    readonly instanceId: string | undefined;
    readonly protocol: "classic" | "consumer" | undefined;
  },
): ClientConfig {
  return {
    ...CONSUMER_DEFAULTS,
    ...(group.protocol === "consumer" ? { "group.protocol": "consumer" } : CLASSIC),
    ...own,
    "group.id": group.id,
    ...(group.instanceId === undefined ? {} : { "group.instance.id": group.instanceId }),
  };
}
