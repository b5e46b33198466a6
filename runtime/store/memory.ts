/**
 * The schedule in memory: the same promises as Postgres within one process, with a clock that a test holds.
 *
 * In: messages, and the injected clock. Out: a `Store` that passes the same contract suite. Nothing survives the process.
 */
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { LONGEST_DURATION_MS } from "../ground/duration.ts";
import { publishDeadline, within } from "./deadline.ts";
import { listenersByHandler } from "./listeners.ts";
import { STORE_LIMITS } from "./limits.ts";
import { memoryFences, type MemoryFences } from "./memory-fences.ts";
import { memoryTurns } from "./memory-turns.ts";
import { distinct, identityOf } from "./rows.ts";
import type {
  ClaimOptions,
  DeadLetter,
  DueMessage,
  ScheduleCounts,
  ScheduledMessage,
  Store,
  TopicVersions,
} from "./store.ts";

export interface MemoryStoreOptions {
  /** Decides what is due, in place of the database's clock. */
  readonly clock: Clock;
  readonly publishDeadlineMs?: number;
}

export interface WaitingRow {
  readonly row: bigint;
  readonly message: ScheduledMessage;
  readonly dueAtMs: number;
  /** Inserted or edited as by hand: not checked against its topic yet. */
  readonly byHand: boolean;
}

export interface ParkedRow extends WaitingRow {
  readonly problem: string;
}

export interface MemoryStore extends Store {
  /** What waits, in order of due time, for tests to look at. */
  readonly waiting: readonly WaitingRow[];
  readonly fences: MemoryFences;
  readonly deadLetters: readonly DeadLetter[];
  /** What was written by hand and does not fit its topic. */
  readonly parked: readonly ParkedRow[];
  /** Writes a message as an operator's INSERT would: it is checked when it is due. */
  write(message: ScheduledMessage): void;
  /** Gives a waiting or parked message another value, as an operator's UPDATE would; a parked one waits again then. */
  edit(row: bigint, value: Uint8Array): boolean;
  /** Removes a waiting or parked row, as an operator's DELETE would; the next message of a fenced key goes then. */
  cancel(row: bigint): boolean;
}

export function createMemoryStore({ clock, publishDeadlineMs }: MemoryStoreOptions): MemoryStore {
  const keys = new Set<string>();
  const rows = new Map<bigint, WaitingRow>();
  const parked = new Map<bigint, ParkedRow>();
  const claimed = new Set<bigint>();
  const letters = new Map<string, DeadLetter>();
  const listeners = new Set<() => void>();
  const resumeListeners = listenersByHandler();
  let lastRow = 0n;
  let closed = false;

  const inOrder = () =>
    [...rows.values()].toSorted((a, b) => a.dueAtMs - b.dueAtMs || (a.row < b.row ? -1 : 1));

  function open(): void {
    if (closed) throw new CauceError("closed", "the store is closed");
  }

  function earliest(topic: string): number {
    return Math.min(...inOrder().flatMap((row) => (row.message.record.topic === topic ? [row.dueAtMs] : [])));
  }

  function insert(message: ScheduledMessage, byHand = false): void {
    const delayMs = Math.min(Math.max(0, message.delayMs || 0), LONGEST_DURATION_MS);
    const dueAtMs = clock.nowMs() + delayMs;
    const news = dueAtMs < earliest(message.record.topic);
    lastRow++;
    rows.set(lastRow, { row: lastRow, message, dueAtMs, byHand });
    if (news) listeners.forEach((call) => call());
  }

  const fences = memoryFences({
    keys,
    insert: (message, place) => insert({ ...message, place }),
    heldPerFence: STORE_LIMITS.heldPerFence,
    releasedPerFence: STORE_LIMITS.releasedPerFence,
  });

  return {
    description: "a schedule in memory",
    get connected() {
      return !closed;
    },
    get waiting() {
      return inOrder();
    },
    get deadLetters() {
      return [...letters.values()];
    },
    fences,
    turns: memoryTurns({ clock }),
    get parked() {
      return [...parked.values()];
    },
    write(message) {
      keys.add(identityOf(message));
      insert(message, true);
    },
    edit(row, value) {
      const edited = rows.get(row) ?? parked.get(row);
      if (edited === undefined || claimed.has(row)) return false;
      const { message, dueAtMs } = edited;
      parked.delete(row);
      rows.set(row, {
        row,
        message: { ...message, record: { ...message.record, value } },
        dueAtMs,
        byHand: true,
      });
      listeners.forEach((call) => call());
      return true;
    },
    cancel(row) {
      const place = (rows.get(row) ?? parked.get(row))?.message.place;
      if (claimed.has(row) || !(rows.delete(row) || parked.delete(row))) return false;
      if (place !== undefined) void fences.pass(place);
      return true;
    },

    async schedule(messages) {
      open();
      let added = 0;
      for (const message of distinct(messages)) {
        const key = identityOf(message);
        if (keys.has(key)) continue;
        keys.add(key);
        insert(message);
        added++;
      }
      return added;
    },

    async bury(given) {
      open();
      const before = letters.size;
      for (const letter of distinct(given)) {
        const key = identityOf(letter);
        if (!letters.has(key)) letters.set(key, letter);
      }
      return letters.size - before;
    },

    claimsAtOnce: 2,
    async claim({ topics, versions, limit, publish }: ClaimOptions) {
      open();
      const nowMs = clock.nowMs();
      const due = inOrder()
        .filter(({ row, message, dueAtMs }) => {
          return dueAtMs <= nowMs && !claimed.has(row) && isFor(message, topics, versions);
        })
        .slice(0, limit);
      if (due.length === 0) return 0;
      for (const { row } of due) claimed.add(row);
      try {
        const deadlineMs = publishDeadlineMs ?? STORE_LIMITS.publishDeadlineMs;
        const published = publish(due.map((row) => dueMessage(row, nowMs)));
        const misfits = (await within(published, publishDeadline(deadlineMs, clock))) ?? [];
        const problems = new Map(misfits.map(({ due: { row }, problem }) => [row, problem]));
        for (const waiting of due) {
          rows.delete(waiting.row);
          const problem = problems.get(waiting.row);
          if (problem !== undefined) parked.set(waiting.row, { ...waiting, problem });
        }
      } finally {
        for (const { row } of due) claimed.delete(row);
      }
      return due.length;
    },

    async nextDueMs(topics, versions) {
      open();
      const next = inOrder().find(({ message }) => isFor(message, topics, versions));
      return next ? Math.max(0, Math.ceil(next.dueAtMs - clock.nowMs())) : null;
    },

    onEarlier(call) {
      listeners.add(call);
      return () => listeners.delete(call);
    },

    onResume: (handler, call) => resumeListeners.add(handler, call),
    async resume(handler) {
      open();
      resumeListeners.tell(handler);
    },

    async counts() {
      open();
      return [...Map.groupBy(rows.values(), ({ message }) => message.record.topic)].map(
        ([topic, ofTopic]): ScheduleCounts => {
          const lateMs = ofTopic.map(({ dueAtMs }) => clock.nowMs() - dueAtMs).filter((late) => late >= 0);
          return {
            topic,
            waiting: ofTopic.length,
            due: lateMs.length,
            oldestDueMs: Math.max(0, ...lateMs),
          };
        },
      );
    },

    async close() {
      closed = true;
      listeners.clear();
    },
  };
}

function isFor(
  { record: { topic }, version = 0 }: ScheduledMessage,
  topics: readonly string[],
  versions: TopicVersions | undefined,
): boolean {
  return topics.includes(topic) && version <= (versions?.get(topic) ?? Infinity);
}

function dueMessage({ row, message, dueAtMs, byHand }: WaitingRow, nowMs: number): DueMessage {
  const { handler, messageId, delivery, record, attempts, deferrals, place } = message;
  const { bornAtMs, version = null } = message;
  const lateMs = nowMs - dueAtMs;
  return {
    row,
    handler,
    messageId,
    delivery,
    record,
    attempts,
    deferrals,
    lateMs,
    ...(place && { place }),
    ...(byHand && { byHand: { bornAtMs, version } }),
  };
}
