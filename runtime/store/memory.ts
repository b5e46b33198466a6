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
import { distinct, identityOf } from "./rows.ts";
import type {
  ClaimOptions,
  DeadLetter,
  DueMessage,
  ScheduleCounts,
  ScheduledMessage,
  Store,
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
}

export interface MemoryStore extends Store {
  /** What waits, in order of due time, for tests to look at. */
  readonly waiting: readonly WaitingRow[];
  readonly fences: MemoryFences;
  readonly deadLetters: readonly DeadLetter[];
  /** Removes a waiting row, as an operator's DELETE would; the next message of a fenced key goes then. */
  cancel(row: bigint): boolean;
}

export function createMemoryStore({ clock, publishDeadlineMs }: MemoryStoreOptions): MemoryStore {
  const keys = new Set<string>();
  const rows = new Map<bigint, WaitingRow>();
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

  function insert(message: ScheduledMessage): void {
    const delayMs = Math.min(Math.max(0, message.delayMs || 0), LONGEST_DURATION_MS);
    const dueAtMs = clock.nowMs() + delayMs;
    const news = dueAtMs < earliest(message.record.topic);
    lastRow++;
    rows.set(lastRow, { row: lastRow, message, dueAtMs });
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
    cancel(row) {
      const place = rows.get(row)?.message.place;
      if (claimed.has(row) || !rows.delete(row)) return false;
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

    async claim({ topics, limit, publish }: ClaimOptions) {
      open();
      const nowMs = clock.nowMs();
      const due = inOrder()
        .filter(({ row, message, dueAtMs }) => {
          return dueAtMs <= nowMs && !claimed.has(row) && topics.includes(message.record.topic);
        })
        .slice(0, limit);
      if (due.length === 0) return 0;
      for (const { row } of due) claimed.add(row);
      try {
        const deadlineMs = publishDeadlineMs ?? STORE_LIMITS.publishDeadlineMs;
        await within(publish(due.map((row) => dueMessage(row, nowMs))), publishDeadline(deadlineMs, clock));
        for (const { row } of due) rows.delete(row);
      } finally {
        for (const { row } of due) claimed.delete(row);
      }
      return due.length;
    },

    async nextDueMs(topics) {
      open();
      const next = inOrder().find(({ message }) => topics.includes(message.record.topic));
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

function dueMessage({ row, message, dueAtMs }: WaitingRow, nowMs: number): DueMessage {
  const { handler, messageId, delivery, record, attempts, deferrals, place } = message;
  const lateMs = nowMs - dueAtMs;
  return { row, handler, messageId, delivery, record, attempts, deferrals, lateMs, ...(place && { place }) };
}
