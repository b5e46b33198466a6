/**
 * Every metric that Cauce has: the one list of names, units and meanings.
 *
 * In: a registry. Out: an object whose calls the doors and the engine make. Durations come in milliseconds and are shown
 * in seconds, as Prometheus wants them. Never here: label values without a bound (message ids, keys, paths as asked).
 */
import type { Heartbeat } from "./heartbeat.ts";
import type { Gauge, LabelsOf, Registry } from "./metrics.ts";

const HANDLER_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const LATENESS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 3_600];
const HTTP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ScheduleReading {
  readonly topic: string;
  /** Rows not yet due. */
  readonly waiting: number;
  /** Rows due and not yet published. */
  readonly due: number;
  /** How long the oldest due row is overdue; 0 when none is. */
  readonly oldestDueMs: number;
}

/** What a request was answered as: a declared route, a usual method. */
interface AnsweredAs {
  readonly route: string;
  readonly method: string;
  readonly status: number;
}

export type Metrics = ReturnType<typeof metricsFor>;

/** Declares all metrics in the registry. Call once per registry. */
export function metricsFor(registry: Registry) {
  const outcomes = registry.counter({
    name: "cauce_handler_outcomes_total",
    help: "Messages settled, by handler and outcome (done, retry, dead).",
    labels: ["handler", "outcome"],
  });
  const durations = registry.histogram({
    name: "cauce_handler_duration_seconds",
    help: "How long one run of a handler took.",
    labels: ["handler"],
    buckets: HANDLER_SECONDS,
  });
  const published = registry.counter({
    name: "cauce_records_published_total",
    help: "Records that the broker has acknowledged, by topic.",
    labels: ["topic"],
  });
  const scheduled = registry.counter({
    name: "cauce_schedule_published_total",
    help: "Rows of the schedule that were published when they came due, by topic.",
    labels: ["topic"],
  });
  const parked = registry.counter({
    name: "cauce_schedule_parked_total",
    help: "Messages written by hand that do not fit their topic and were parked, by topic.",
    labels: ["topic"],
  });
  const lateness = registry.histogram({
    name: "cauce_schedule_lateness_seconds",
    help: "How long after its due time a row was published.",
    labels: [],
    buckets: LATENESS_SECONDS,
  });
  const requests = registry.counter({
    name: "cauce_http_requests_total",
    help: "Answered HTTP requests, by declared route, method and status.",
    labels: ["route", "method", "status"],
  });
  const requestDurations = registry.histogram({
    name: "cauce_http_request_duration_seconds",
    help: "How long it took to answer an HTTP request, by declared route.",
    labels: ["route"],
    buckets: HTTP_SECONDS,
  });

  // By routes that are declared, usual methods and statuses: few.
  const answeredAs = new Map<string, (durationMs: number) => void>();
  const requestsOf = ({ route, method, status }: AnsweredAs) => {
    const count = requests.series({ route, method, status: String(status) });
    const duration = requestDurations.series({ route });
    return (durationMs: number) => {
      count();
      duration(durationMs / 1_000);
    };
  };

  const waiting = registry.gauge({
    name: "cauce_schedule_waiting",
    help: "Rows of the schedule that are not due yet, by topic.",
    labels: ["topic"],
  });
  const due = registry.gauge({
    name: "cauce_schedule_due",
    help: "Rows of the schedule that are due and not published yet, by topic.",
    labels: ["topic"],
  });
  const oldestDue = registry.gauge({
    name: "cauce_schedule_oldest_due_seconds",
    help: "How long the oldest due row is overdue, by topic.",
    labels: ["topic"],
  });
  const loopLag = registry.gauge({
    name: "cauce_event_loop_lag_seconds",
    help: "How late the event loop's timer was at worst since the last scrape.",
    labels: [],
  });
  const busConnected = upOrDown(registry, "cauce_bus_connected", "Is a broker connected? 1 or 0.");
  const storeConnected = upOrDown(registry, "cauce_store_connected", "Does Postgres answer? 1 or 0.");

  return {
    /** For each message that a handler settles: what became of it, and how long its run took. Made once a handler. */
    settledBy: (handler: string) => {
      const duration = durations.series({ handler });
      const counts = {
        done: outcomes.series({ handler, outcome: "done" }),
        retry: outcomes.series({ handler, outcome: "retry" }),
        dead: outcomes.series({ handler, outcome: "dead" }),
      };
      return (outcome: keyof typeof counts, durationMs: number) => {
        counts[outcome]();
        duration(durationMs / 1_000);
      };
    },
    /** Records were acknowledged by the broker. */
    published: ({ topic, count = 1 }: { readonly topic: string; readonly count?: number }) =>
      published.add({ topic }, count),
    /** The same, one by one, for a topic of which many are. */
    publishedOn: (topic: string) => published.series({ topic }),
    /** Due rows were published. */
    scheduledPublished: ({ topic, count = 1 }: { readonly topic: string; readonly count?: number }) =>
      scheduled.add({ topic }, count),
    /** A message that was written by hand does not fit its topic. */
    scheduleParked: ({ topic }: { readonly topic: string }) => parked.add({ topic }, 1),
    /** One due row was published that long after its due time. */
    lateness: (latenessMs: number) => lateness.observe({}, Math.max(0, latenessMs) / 1_000),
    /** A request was answered. Fits the door's `answered` option. */
    httpRequest: (of: AnsweredAs & { readonly durationMs: number }) => {
      const kind = `${of.route} ${of.method} ${of.status}`;
      let answered = answeredAs.get(kind);
      if (answered === undefined) answeredAs.set(kind, (answered = requestsOf(of)));
      answered(of.durationMs);
    },

    /** Records behind the end of each partition: `lag.readFrom(() => [{ labels: { handler, topic, partition }, value }])`. */
    lag: registry.gauge({
      name: "cauce_consumer_lag",
      help: "Records between the committed offset and the end of the partition.",
      labels: ["handler", "topic", "partition"],
    }),
    inFlight: registry.gauge({
      name: "cauce_handlers_in_flight",
      help: "Messages that a handler is working on now.",
      labels: ["handler"],
    }),
    assigned: registry.gauge({
      name: "cauce_partitions_assigned",
      help: "Partitions that this process reads, by handler.",
      labels: ["handler"],
    }),
    paused: registry.gauge({
      name: "cauce_partitions_paused",
      help: "Assigned partitions that are paused now, by handler.",
      labels: ["handler"],
    }),
    broken: registry.gauge({
      name: "cauce_handler_paused",
      help: "Is a handler paused because it fails at most messages? 1 or 0.",
      labels: ["handler"],
    }),
    fencedKeys: registry.gauge({
      name: "cauce_fenced_keys",
      help: "Keys that a handler holds back, as far as this process knows; -1 where they are too many to remember.",
      labels: ["handler"],
    }),
    /** Postgres's view of the schedule, asked for at each scrape, once for all three metrics. */
    readSchedule(read: () => Promise<readonly ScheduleReading[]>) {
      const shared = sharedRead(read);
      readInto(waiting, shared, (row) => row.waiting);
      readInto(due, shared, (row) => row.due);
      readInto(oldestDue, shared, (row) => row.oldestDueMs / 1_000);
    },
    /** Are bus and store there? Asked at each scrape. */
    readConnections({ bus, store }: { readonly bus: () => boolean; readonly store: () => boolean }) {
      busConnected(bus);
      storeConnected(store);
    },
    /** The event loop's lag, from a heartbeat. */
    readHeartbeat: (heartbeat: Heartbeat) =>
      loopLag.readFrom(() => [{ labels: {}, value: heartbeat.worstLagMs() / 1_000 }]),
  };
}

function upOrDown(registry: Registry, name: string, help: string) {
  const gauge = registry.gauge({ name, help, labels: [] });
  return (up: () => boolean) => gauge.readFrom(() => [{ labels: {}, value: up() ? 1 : 0 }]);
}

function readInto(
  gauge: Gauge<"topic">,
  read: () => Promise<readonly ScheduleReading[]>,
  value: (row: ScheduleReading) => number,
) {
  gauge.readFrom(async () =>
    (await read()).map((row) => ({
      labels: { topic: row.topic } satisfies LabelsOf<"topic">,
      value: value(row),
    })),
  );
}

/** Calls that come while one is under way share its answer. */
function sharedRead<T>(read: () => Promise<T>): () => Promise<T> {
  let underway: Promise<T> | null = null;
  return () => {
    underway ??= read().finally(() => {
      underway = null;
    });
    return underway;
  };
}
