/**
 * Fences in memory: the same promises as Postgres within one process.
 *
 * In: messages, and ways to put a row into the schedule and to look for one. Out: `Fences` that pass the same contract suite.
 */
import type { Fences, Place } from "./fences.ts";
import { listenersByHandler } from "./listeners.ts";
import { identityOf } from "./rows.ts";
import type { ScheduledMessage } from "./message.ts";

export interface MemoryFencesOptions {
  /** Every key that was ever scheduled, as `identityOf` names it. */
  readonly keys: Set<string>;
  /** Puts a row into the schedule, its key being known already. */
  readonly insert: (message: ScheduledMessage, place: Place) => void;
  readonly heldPerFence: number;
  readonly releasedPerFence: number;
}

export interface MemoryFences extends Fences {
  /** Messages that wait behind fences or have their turn, in order, for tests to look at. */
  readonly held: readonly { readonly place: Place; readonly message: ScheduledMessage }[];
}

interface Fence {
  readonly number: string;
  readonly of: string;
  readonly handler: string;
  readonly key: Uint8Array;
  turn: number;
  last: number;
  readonly held: Map<number, { readonly message: ScheduledMessage; released: boolean }>;
}

export function memoryFences(options: MemoryFencesOptions): MemoryFences {
  const { keys, insert, heldPerFence, releasedPerFence } = options;
  const byKey = new Map<string, Fence>();
  const byNumber = new Map<string, Fence>();
  const listeners = listenersByHandler();
  let lastFence = 0;

  function release(fence: Fence): void {
    for (const [turn, held] of [...fence.held].slice(0, releasedPerFence)) {
      if (held.released) continue;
      held.released = true;
      insert({ ...held.message, delayMs: 0 }, { fence: fence.number, turn });
    }
  }

  /** True where this delivery was not known yet; it is from now on. */
  function remember(message: ScheduledMessage): boolean {
    const identity = identityOf(message);
    if (keys.has(identity)) return false;
    keys.add(identity);
    return true;
  }

  function behind(fence: Fence, message: ScheduledMessage): void {
    fence.held.set(++fence.last, { message, released: false });
  }

  function raise(message: ScheduledMessage): "raised" | "held" | "known" {
    if (!remember(message)) return "known";
    const of = fenceOf(message);
    const standing = byKey.get(of);
    if (standing !== undefined) {
      behind(standing, message);
      return "held";
    }
    const { handler, record } = message;
    const key = record.key ?? new Uint8Array();
    const fence: Fence = { number: String(++lastFence), of, handler, key, turn: 1, last: 1, held: new Map() };
    fence.held.set(1, { message, released: true });
    byKey.set(of, fence);
    byNumber.set(fence.number, fence);
    insert(message, { fence: fence.number, turn: 1 });
    listeners.tell(handler);
    return "raised";
  }

  return {
    get held() {
      return [...byNumber.values()].flatMap((fence) =>
        [...fence.held].map(([turn, { message }]) => ({ place: { fence: fence.number, turn }, message })),
      );
    },
    raise: (messages) => Promise.resolve(messages.map(raise)),
    async hold(message) {
      const fence = byKey.get(fenceOf(message));
      if (fence === undefined) return "free";
      if (keys.has(identityOf(message))) return "known";
      if (fence.held.size >= heldPerFence) return "full";
      remember(message);
      behind(fence, message);
      return "held";
    },
    async takeTurn(place) {
      const fence = byNumber.get(place.fence);
      if (fence === undefined) return "gone";
      if (fence.turn === place.turn) return "free";
      const held = fence.held.get(place.turn);
      if (held === undefined) return "known";
      held.released = false;
      return "held";
    },
    async pass(place) {
      const fence = byNumber.get(place.fence);
      if (fence === undefined || !fence.held.delete(place.turn)) return;
      const [next] = fence.held.keys();
      if (next === undefined) {
        byNumber.delete(fence.number);
        byKey.delete(fence.of);
      } else if (fence.turn !== next) {
        fence.turn = next;
        release(fence);
      }
    },
    async keys(handler, most) {
      const fenced = [...byNumber.values()].filter((fence) => fence.handler === handler);
      return fenced.length > most ? null : fenced.map(({ key }) => key);
    },
    onRaised: (handler, call) => listeners.add(handler, call),
  };
}

function fenceOf({ handler, record }: ScheduledMessage): string {
  return JSON.stringify([handler, Buffer.from(record.key ?? []).toString("latin1")]);
}
