/**
 * librdkafka's own words in our log: what repeats is said once in a while, what is chatter only at debug level.
 */
import type { Clock } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import type { ClientEvent } from "../kafka/index.ts";

/** A broker that is away makes librdkafka repeat itself every second for each client. */
const SAY_AGAIN_MS = 30_000;
/** syslog's "warning"; larger numbers matter less. */
const WARNING = 4;

export function kafkaLog(log: Log, clock: Clock): (event: ClientEvent) => void {
  const saidMs = new Map<string, number>();
  const seldom = (name: string, say: () => void) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - (saidMs.get(name) ?? -Infinity) < SAY_AGAIN_MS) return;
    saidMs.set(name, nowMs);
    say();
  };
  return (event) => {
    switch (event.kind) {
      case "statistics":
        return;
      case "log":
        if (event.level > WARNING)
          log.debug("librdkafka", { facility: event.facility, message: event.message });
        else
          seldom(event.facility, () =>
            log.warn("librdkafka", { facility: event.facility, message: event.message }),
          );
        return;
      case "error":
        seldom(`error ${event.err}`, () =>
          log.warn(event.away ? "no Kafka broker can be reached" : "librdkafka", { message: event.message }),
        );
    }
  };
}
