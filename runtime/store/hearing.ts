/**
 * Who wants to hear of what others did: earlier rows, fences, a word to a paused handler.
 *
 * In: calls, and a way to listen. Out: their calls, over one LISTEN that is opened when the first one comes.
 * Never here: how LISTEN is kept alive (announcements.ts).
 */
import { announcements, type Announcements, type AnnouncementsOptions } from "./announcements.ts";
import { listenersByHandler } from "./listeners.ts";

export interface Hearing {
  readonly onEarlier: (call: () => void) => () => void;
  readonly onRaised: (handler: string, call: () => void) => () => void;
  readonly onResume: (handler: string, call: () => void) => () => void;
  close(): Promise<void>;
}

export function hearing(options: Omit<AnnouncementsOptions, "call" | "raised" | "resume">): Hearing {
  const earlier = new Set<() => void>();
  const raised = listenersByHandler();
  const resumed = listenersByHandler();
  let ears: Announcements | undefined;

  function listen(): void {
    ears ??= announcements({
      ...options,
      call: () => earlier.forEach((each) => each()),
      raised: (handler) => raised.tell(handler),
      resume: (handler) => resumed.tell(handler),
    });
  }

  return {
    onEarlier(call) {
      earlier.add(call);
      listen();
      return () => earlier.delete(call);
    },
    onRaised(handler, call) {
      listen();
      return raised.add(handler, call);
    },
    onResume(handler, call) {
      listen();
      return resumed.add(handler, call);
    },
    async close() {
      earlier.clear();
      raised.clear();
      resumed.clear();
      await ears?.close();
    },
  };
}
