/**
 * What the process tells about itself: `/metrics`, `/readyz`, and the calls that feed them.
 */
import type { Started } from "../application/application.ts";
import type { Bus } from "../bus/bus.ts";
import type { ConsumerState } from "../engine/consumer-options.ts";
import type { Consumer } from "../engine/consumer.ts";
import type { Settled } from "../engine/outcome.ts";
import type { Clock } from "../ground/clock.ts";
import type { Answered, Readiness } from "../ingress/start.ts";
import { startHeartbeat } from "../observe/heartbeat.ts";
import { createRegistry } from "../observe/metrics.ts";
import { metricsFor } from "../observe/vocabulary.ts";
import type { DueMessage, Misfit, Store } from "../store/store.ts";

export interface TelemetryOptions {
  readonly bus: Bus;
  readonly store: Store;
  /** Grows while the process starts. */
  readonly consumers: readonly Consumer[];
  /** How many consumers there will be. */
  readonly expected: number;
  readonly clock: Clock;
  readonly started: Started<unknown>;
}

export type Telemetry = ReturnType<typeof openTelemetry>;

export function openTelemetry({ bus, store, consumers, expected, clock, started }: TelemetryOptions) {
  const registry = createRegistry({ clock });
  const metrics = metricsFor(registry);
  const heartbeat = startHeartbeat({ clock });
  const states = () => consumers.map((consumer) => consumer.state);
  metrics.readHeartbeat(heartbeat);
  metrics.readConnections({ bus: () => bus.connected, store: () => store.connected });
  metrics.readSchedule(() => store.counts());
  const perHandler = (value: (state: ConsumerState) => number) => () =>
    states().map((state) => ({ labels: { handler: state.handler }, value: value(state) }));
  metrics.inFlight.readFrom(perHandler((state) => state.inFlight));
  metrics.paused.readFrom(perHandler((state) => state.pausedPartitions));
  metrics.broken.readFrom(perHandler((state) => (state.broken ? 1 : 0)));
  metrics.fencedKeys.readFrom(() =>
    states().flatMap(({ handler, fencedKeys }) =>
      fencedKeys === null ? [] : [{ labels: { handler }, value: fencedKeys }],
    ),
  );
  metrics.assigned.readFrom(perHandler((state) => state.lag.length));
  metrics.lag.readFrom(() =>
    states().flatMap(({ handler, lag }) =>
      // A partition of which nothing is known yet has no lag, rather than one below 0.
      lag
        .filter(({ records }) => records >= 0)
        .map(({ topic, partition, records }) => ({
          labels: { handler, topic, partition: String(partition) },
          value: records,
        })),
    ),
  );
  // Of topics that are declared: few.
  const publishedOn = new Map<string, ReturnType<typeof metrics.publishedOn>>();
  return {
    /** What the door needs. */
    door: {
      ready: () => readiness(bus, store, states(), expected),
      metrics: async () => (await registry.text()) + (started.metrics?.() ?? ""),
      answered: (answered: Answered) => metrics.httpRequest(answered),
      heartbeat,
    },
    /** For each message that a handler settles. Made once a handler. */
    settledBy(handler: string) {
      const settled = metrics.settledBy(handler);
      return (outcome: Settled, durationMs: number) => {
        settled(outcome.kind, durationMs);
        if (outcome.kind === "done")
          for (const { record } of outcome.publish) count(publishedOn, record.topic, metrics.publishedOn);
      };
    },
    /** The scheduler published these rows. */
    published: (due: readonly DueMessage[]) => {
      for (const { record, lateMs } of due) {
        metrics.scheduledPublished({ topic: record.topic });
        metrics.lateness(lateMs);
      }
    },
    /** Messages that were written by hand do not fit their topics. */
    parked: (misfits: readonly Misfit[]) => {
      for (const { due } of misfits) metrics.scheduleParked({ topic: due.record.topic });
    },
    async stop() {
      await Promise.resolve();
      heartbeat.stop();
    },
  };
}

function count(known: Map<string, () => void>, topic: string, make: (topic: string) => () => void): void {
  let counted = known.get(topic);
  if (counted === undefined) known.set(topic, (counted = make(topic)));
  counted();
}

/** Ready: every consumer has its assignment, and broker and database answer. */
function readiness(bus: Bus, store: Store, states: readonly ConsumerState[], expected: number): Readiness {
  const assigned = states.filter((state) => state.ready).length;
  const parts: Record<string, string> = {
    kafka: bus.connected ? "connected" : "away",
    postgres: store.connected ? "connected" : "away",
    consumers: `${assigned} of ${expected} assigned`,
  };
  for (const { handler, waitingFor, outOfRange } of states) {
    if (waitingFor !== null) parts[handler] = `waits: ${waitingFor}`;
    if (outOfRange.length > 0) parts[handler] = `stands still, its offset is gone: ${outOfRange.join(", ")}`;
  }
  const still = states.some(({ outOfRange }) => outOfRange.length > 0);
  return { ready: bus.connected && store.connected && assigned === expected && !still, parts };
}
