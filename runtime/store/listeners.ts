/**
 * Who wants to hear of a handler: calls by its name.
 */
export interface ListenersByHandler {
  /** @returns a function that ends it */
  add(handler: string, call: () => void): () => void;
  /** Calls those of a handler; of every handler for null. */
  tell(handler: string | null): void;
  clear(): void;
}

export function listenersByHandler(): ListenersByHandler {
  const byHandler = new Map<string, Set<() => void>>();
  return {
    add(handler, call) {
      const calls = byHandler.get(handler) ?? new Set();
      byHandler.set(handler, calls.add(call));
      return () => calls.delete(call);
    },
    tell(handler) {
      const told = handler === null ? [...byHandler.values()] : [byHandler.get(handler) ?? []];
      for (const calls of told) for (const call of calls) call();
    },
    clear: () => byHandler.clear(),
  };
}
