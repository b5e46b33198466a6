/**
 * LISTEN for an application: told of notifications on one channel, and whenever some may have been missed.
 *
 * In: an address, a channel. Out: calls. The connection is opened again by itself when it ends. Where LISTEN delivers nothing
 * (a pooler in transaction mode) nobody is told: whoever depends on it looks by himself now and then.
 */
import type { Clock } from "../ground/clock.ts";
import { connections } from "./connection.ts";

export interface ListenOptions {
  readonly url: string;
  /** Letters, digits and `_`. */
  readonly channel: string;
  readonly clock: Clock;
  /** Also called when listening begins, for what was announced before. */
  readonly heard: (payload: string) => void;
}

export interface Listening {
  close(): Promise<void>;
}

const LISTEN_AGAIN_MS = 500;

/** Listens at once; never rejects. */
export function listenOn({ url, channel, clock, heard }: ListenOptions): Listening {
  let cancel: (() => void) | null = null;
  let closed = false;
  const connection = connections({
    url,
    max: 1,
    name: "cauce listen",
    clock,
    notified: (_, payload) => {
      if (!closed) heard(payload);
    },
    ended: () => later(),
  });
  listen();

  function later(): void {
    cancel?.();
    if (!closed) cancel = clock.after(LISTEN_AGAIN_MS, listen);
  }

  function listen(): void {
    connection.run(`LISTEN "${channel}"`).then(() => {
      if (!closed) heard("");
    }, later);
  }

  return {
    async close() {
      closed = true;
      cancel?.();
      await connection.close();
    },
  };
}
