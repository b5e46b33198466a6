/**
 * The application's topics: made or looked for at the start, and looked at from time to time.
 *
 * In: handlers, a bus. Out: lines in the log. A topic whose partitions change while we run moves keys to other partitions: what a
 * key had written before may then be handled after what it writes now. Kafka tells nobody, so it is said here.
 * Never here: a change of a topic that is there.
 */
import type { Bus, TopicPlan, TopicReport } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";

export type KnownPartitions = ReadonlyMap<string, number>;

/** Makes what is missing and says what is not as declared. @returns how many partitions each topic has, where that is known */
export async function ensureTopics(work: {
  readonly plans: readonly TopicPlan[];
  readonly ensure: (plans: readonly TopicPlan[]) => Promise<readonly TopicReport[]>;
  readonly log: Log;
}): Promise<KnownPartitions> {
  const { plans, ensure, log } = work;
  const known = new Map<string, number>();
  for (const { name, state, partitions, detail } of await ensure(plans)) {
    const planned = plans.find((plan) => plan.name === name)?.partitions;
    if (partitions !== undefined) known.set(name, partitions);
    if (state === "missing" || state === "refused")
      log.warn("topic cannot be used", { topic: name, state, detail });
    else if (partitions !== undefined && partitions !== planned) {
      log.warn("topic has other partitions than declared; it is used as it is", {
        topic: name,
        partitions,
        declared: planned,
      });
    }
  }
  return known;
}

export interface TopicWatch {
  stop(): void;
}

/** Looks at known topics every `everyMs`, and says once of each change that it has changed. A broker that is away is not asked twice. */
export function watchTopics(work: {
  readonly known: KnownPartitions;
  readonly bus: Pick<Bus, "ensureTopics">;
  readonly clock: Clock;
  readonly log: Log;
  /** Default 60,000. */
  readonly everyMs?: number;
}): TopicWatch {
  const { bus, clock, log, everyMs = LOOK_EVERY_MS } = work;
  const known = new Map<string, number>(work.known);
  let stopped = false;
  let cancel = (): void => undefined;

  async function look(): Promise<void> {
    const plans = [...known.keys()].map((name) => ({ name, partitions: 1, provision: "verify" as const }));
    try {
      for (const report of await bus.ensureTopics(plans)) compare(report);
    } catch (error) {
      log.debug("the topics could not be looked at", { error: messageOf(error) });
    }
    if (!stopped) again();
  }

  function compare({ name, state, partitions }: TopicReport): void {
    const before = known.get(name) ?? 0;
    const now = state === "missing" ? 0 : partitions;
    if (now === undefined || now === before || stopped) return;
    known.set(name, now);
    if (now === 0) log.error("a topic is gone", { topic: name, partitions: before });
    else if (before === 0) log.warn("a topic that was gone is there again", { topic: name, partitions: now });
    else
      log.error(
        "a topic's partitions changed: keys moved, and are in order on each side of the change only",
        {
          topic: name,
          partitions: now,
          before,
        },
      );
  }

  function again(): void {
    cancel = clock.after(everyMs, () => void look());
  }

  again();
  return {
    stop() {
      stopped = true;
      cancel();
    },
  };
}

const LOOK_EVERY_MS = 60_000;
