/**
 * When a scheduler has nothing left to look for.
 *
 * In: its store. Out: the same store, and a promise that it has looked and found nothing to wait for: from then on only a call or its
 * own next look wakes it.
 */
import type { Store } from "../../runtime/store/store.ts";

export interface Watched {
  readonly store: Store;
  /** Resolves at its next look that finds nothing; call it before what wakes it. */
  readonly asleep: () => Promise<void>;
}

export function watchSleep(store: Store): Watched {
  const waiting: (() => void)[] = [];
  const nextDueMs = store.nextDueMs.bind(store);
  const watched: Store = Object.create(store, {
    nextDueMs: {
      async value(...asked: Parameters<typeof nextDueMs>) {
        const nextMs = await nextDueMs(...asked);
        if (nextMs === null) for (const resolve of waiting.splice(0)) resolve();
        return nextMs;
      },
    },
  });
  return {
    store: watched,
    asleep() {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      return promise;
    },
  };
}
