/**
 * The clock's door: publishes rows when they are due, and sleeps until the next one.
 *
 * In: a store, a way to publish, the topics that this process declares. Out: acknowledged records, on time and never
 * early: the database's clock decides. Any number of schedulers share the rows. What is away is waited for, and costs
 * nothing but time. Never here: handlers. A due message comes back in by the front.
 */
import { bodyBytesOf } from "../ground/body-bytes.ts";
import type { OutgoingRecord } from "../bus/bus.ts";
import { pause, systemClock, type Clock, type Random } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import { silentLog, type Log } from "../ground/log.ts";
import type { DueMessage, Misfit, Store } from "../store/store.ts";
import type { Declared } from "./by-hand.ts";
import { claimSize } from "./claim-size.ts";
import { publishDue } from "./publish.ts";
import { newsOf, type SchedulerObserver } from "./news.ts";
import { backoffMs, trackTrouble } from "./trouble.ts";

export interface SchedulerOptions {
  readonly store: Store;
  /** Publishes and resolves when every record is acknowledged: the bus's own `publish`. */
  readonly publish: (records: readonly OutgoingRecord[]) => Promise<unknown>;
  /** Only rows for these topics are claimed. */
  readonly topics: readonly string[];
  /** By what rows that were written by hand are checked, and up to which version rows are claimed. Default: nothing is. */
  readonly declared?: Declared;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** Rows of a claim at most; fewer while little is due (claim-size.ts). Default 1,000. */
  readonly batch?: number;
  /** The longest sleep, should a wake-up be lost. Default 5 s. */
  readonly recheckMs?: number;
  /** Told of what happened, for metrics. Must be quick and must not throw. */
  readonly observe?: SchedulerObserver;
}

export interface Scheduler {
  /** Did the last look at the table succeed, and can every topic be published to? */
  readonly healthy: boolean;
  /** Topics whose last publish failed; they are tried again by themselves. */
  readonly troubledTopics: readonly string[];
  /** Looks at the table now. */
  wake(): void;
  /**
   * Finishes the batch in hand and ends. What the broker has not acknowledged by `deadlineMs` (default: no limit) stays in
   * the table; should it arrive nevertheless, it is published twice, with the same id and delivery. Idempotent.
   */
  stop(deadlineMs?: number): Promise<void>;
}

/** While others hold all that is due, it is looked at again after this, doubling up to the second. */
const HELD_PAUSE_MS = 5;
const LONGEST_HELD_PAUSE_MS = 200;

interface Claimed {
  readonly count: number;
  /** It brought all that it might: more is due. */
  readonly full: boolean;
}
const NOTHING: Claimed = { count: 0, full: false };

export function startScheduler(options: SchedulerOptions): Scheduler {
  const {
    store,
    publish,
    topics,
    declared,
    clock = systemClock,
    random = Math.random,
    log = silentLog,
    observe,
  } = options;
  const { batch = 1_000, recheckMs = 5_000 } = options;
  checkOptions(topics, batch, recheckMs);
  const trouble = trackTrouble(topics, random);
  const size = claimSize(batch);
  const news = newsOf({ log, observe, trouble, clock });
  const versions = new Map([...(declared?.topics ?? [])].map(([name, { version }]) => [name, version]));
  const stopping = new AbortController();
  const givenUp = Promise.withResolvers<never>();
  // Nobody may be publishing when it is given up.
  givenUp.promise.catch(() => {});
  let asleep: AbortController | undefined;
  let woken = false;
  let storeAway = false;
  let storeTries = 0;
  let heldTries = 0;

  function wake(): void {
    woken = true;
    asleep?.abort();
  }

  async function sleep(delayMs: number): Promise<void> {
    if (!woken && !stopping.signal.aborted) {
      asleep = new AbortController();
      await pause(clock, delayMs, asleep.signal);
      asleep = undefined;
    }
  }

  const doors = {
    publish: (records: readonly OutgoingRecord[]) => {
      const published = publish(records);
      failpoint("schedule.published");
      return Promise.race([published, givenUp.promise]);
    },
    bury: store.bury.bind(store),
    fences: store.fences,
    buried: news.buried,
    declared,
  };

  /** Claims until nothing is due; resolves with how long to sleep. */
  async function round(): Promise<number> {
    woken = false;
    let published = 0;
    for (const group of [trouble.sound, ...trouble.ripe(clock.monotonicMs()).map((topic) => [topic])]) {
      if (group.length > 0) published += await drain(group);
      if (stopping.signal.aborted) return 0;
    }
    if (published > 0) {
      heldTries = 0;
      return 0;
    }
    const nextMs = trouble.sound.length > 0 ? await store.nextDueMs(trouble.sound, versions) : null;
    if (nextMs !== 0) heldTries = 0;
    const ripeMs = trouble.ripeInMs(clock.monotonicMs());
    return Math.min(recheckMs, ripeMs ?? recheckMs, nextMs === 0 ? heldPauseMs() : (nextMs ?? recheckMs));
  }

  /** Until a claim brings less than it asked for; from the first full one on, several go side by side. */
  async function drain(group: readonly string[]): Promise<number> {
    const first = await claimGroup(group);
    if (!first.full) return first.count;
    const drained = await Promise.allSettled(
      Array.from({ length: store.claimsAtOnce }, () => drainBeside(group)),
    );
    return drained.reduce((sum, one) => {
      if (one.status === "rejected") throw one.reason;
      return sum + one.value;
    }, first.count);
  }

  /** One claim after another, whatever those beside it do: its rows are read while theirs are acknowledged. */
  async function drainBeside(group: readonly string[]): Promise<number> {
    for (let published = 0; ;) {
      const { count, full } = await claimGroup(group);
      published += count;
      const othersTurn = trouble.ripe(clock.monotonicMs()).some((topic) => !group.includes(topic));
      if (!full || othersTurn || stopping.signal.aborted) return published;
    }
  }

  /** Others hold what is due, and may put it back. */
  function heldPauseMs(): number {
    return Math.min(HELD_PAUSE_MS * 2 ** Math.min(heldTries++, 10), LONGEST_HELD_PAUSE_MS);
  }

  async function claimGroup(group: readonly string[]): Promise<Claimed> {
    let due: readonly DueMessage[] = [];
    let misfits: readonly Misfit[] = [];
    let acknowledged = false;
    const asked = size.rows;
    try {
      failpoint("schedule.before_claim");
      const count = await store.claim({
        topics: group,
        versions,
        limit: asked,
        async publish(claimed) {
          due = claimed;
          failpoint("schedule.claimed");
          misfits = await publishDue(claimed, doors);
          acknowledged = true;
          failpoint("schedule.acknowledged");
          return misfits;
        },
      });
      size.brought({ asked, taken: count, bytes: bytesOf(due) });
      if (count > 0) {
        failpoint("schedule.committed");
        news.taken(due, misfits);
      }
      news.recovered(group);
      return { count, full: count >= asked };
    } catch (error) {
      if (error instanceof CauceError && error.code === "aborted") return NOTHING;
      observe?.failed?.(error);
      // Before and after the publish it is the store that failed.
      if (due.length === 0 || acknowledged) throw error;
      news.failed(due, error);
      return NOTHING;
    }
  }

  async function turn(): Promise<void> {
    try {
      const delayMs = await round();
      if (storeAway) log.info("the schedule can be read again");
      storeAway = false;
      storeTries = 0;
      if (delayMs > 0) await sleep(delayMs);
    } catch (error) {
      if (!storeAway) log.warn("the schedule cannot be read; trying again", { error: messageOf(error) });
      storeAway = true;
      // Not ended by a wake-up: every failed look costs the database something.
      await pause(clock, backoffMs(++storeTries, random), stopping.signal);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) await turn();
  }

  const endEarlier = store.onEarlier(wake);
  const running = run();
  return {
    get healthy() {
      return !storeAway && trouble.troubled.length === 0 && !stopping.signal.aborted;
    },
    get troubledTopics() {
      return trouble.troubled;
    },
    wake,
    async stop(deadlineMs) {
      endEarlier();
      stopping.abort();
      wake();
      const giveUp = () =>
        givenUp.reject(new CauceError("aborted", "stopped: the rows stay until they can be published"));
      const cancel = deadlineMs === undefined ? () => {} : clock.after(deadlineMs, giveUp);
      await running;
      cancel();
    },
  };
}

function bytesOf(due: readonly DueMessage[]): number {
  return due.reduce((sum, { record }) => sum + bodyBytesOf(record), 0);
}

function checkOptions(topics: readonly string[], batch: number, recheckMs: number): void {
  if (!Number.isInteger(batch) || batch < 1 || batch > 10_000) {
    throw new CauceError(
      "config_invalid",
      `the scheduler's batch must be a whole number from 1 to 10000, not ${batch}`,
    );
  }
  if (!(recheckMs > 0)) {
    throw new CauceError("config_invalid", `the scheduler's recheckMs must be more than 0, not ${recheckMs}`);
  }
  if (topics.length === 0) throw new CauceError("config_invalid", "a scheduler needs at least one topic");
}
