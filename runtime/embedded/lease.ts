/**
 * One lease and the control channel beside it, over loopback.
 *
 * In: a keeper's port, mark and token. Out: an open WebSocket whose first message proves that the right keeper
 * answered, and calls to it. Never here: starting a keeper.
 */
import { systemClock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { KeeperRecord } from "./keeper-record.ts";

export interface Lease {
  readonly keeper: KeeperRecord;
  /** Called once when the keeper closed the lease or died, not after `close`; at once when that has happened. */
  onGone(call: (code: number) => void): void;
  /** Calls the keeper's control channel. Rejects with CauceError `embedded_failed` and the keeper's words. */
  call(method: "GET" | "PUT", path: string, body?: unknown): Promise<unknown>;
  /** Gives the lease back. False when the keeper had died and cannot have heard it. Idempotent. */
  close(): Promise<boolean>;
}

/** The close code that says: everything was stopped on purpose, do not start it again. */
export const STOPPED_CODE = 4001;
/** RFC 6455 §7.1.5: the connection ended without a closing handshake. */
const NO_HANDSHAKE_CODE = 1006;
const ANSWER_LIMIT_MS = 5_000;
/** Starting the mock broker loads librdkafka; topics are made in microseconds. */
const CALL_LIMIT_MS = 30_000;

/** Null when this keeper gives no lease: gone, on its way out, or someone else at its port. */
export async function openLease(keeper: KeeperRecord, holder: string): Promise<Lease | null> {
  const question = new URLSearchParams({ for: holder, token: keeper.token });
  const socket = new WebSocket(`ws://127.0.0.1:${keeper.port}/lease?${question}`);
  const { promise: greeted, resolve } = Promise.withResolvers<boolean>();
  const gone = Promise.withResolvers<number>();
  const cancel = systemClock.after(ANSWER_LIMIT_MS, () => resolve(false));
  socket.addEventListener("message", ({ data }) => resolve(data === keeper.mark), { once: true });
  socket.addEventListener("error", () => resolve(false));
  socket.addEventListener("close", ({ code }) => {
    resolve(false);
    gone.resolve(code);
  });
  const ours = await greeted;
  cancel();
  if (!ours) {
    socket.close();
    return null;
  }
  let closed = false;
  return {
    keeper,
    onGone(call) {
      void gone.promise.then((code) => (closed ? undefined : call(code)));
    },
    call: (method, path, body) => callKeeper(keeper, { method, path, body }),
    async close() {
      closed = true;
      const cancelWait = systemClock.after(ANSWER_LIMIT_MS, () => gone.resolve(0));
      socket.close();
      const code = await gone.promise;
      cancelWait();
      return code !== NO_HANDSHAKE_CODE;
    },
  };
}

async function callKeeper(
  keeper: KeeperRecord,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: unknown },
): Promise<unknown> {
  try {
    const response = await fetch(`http://127.0.0.1:${keeper.port}${path}`, {
      method,
      headers: { authorization: `Bearer ${keeper.token}` },
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as unknown;
    throw new CauceError("embedded_failed", text);
  } catch (thrown) {
    if (thrown instanceof CauceError) throw thrown;
    throw new CauceError(
      "embedded_failed",
      `the keeper of embedded services did not answer: ${messageOf(thrown)}`,
      {
        retryable: true,
        cause: thrown,
      },
    );
  }
}
