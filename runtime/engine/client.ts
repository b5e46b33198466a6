/**
 * Sends messages from code that is no handler: the ingress's routes, scripts, jobs.
 *
 * In: a topic, a value. Out: the message's id once the broker has acknowledged, or the row is committed.
 * Never here: waiting for infrastructure. A caller that answers people must hear at once that it is away.
 */
import type { Client } from "../application/application.ts";
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { durationMs } from "../ground/duration.ts";
import type { Store } from "../store/store.ts";
import { recordOf } from "./emit.ts";

export interface ClientOptions {
  readonly app: string;
  readonly bus: Pick<Bus, "publish">;
  readonly store: Pick<Store, "schedule">;
  readonly clock: Clock;
  /** False until the topics stand; sending is refused as `unavailable` until then. */
  readonly ready: () => boolean;
}

export function createClient({ app, bus, store, clock, ready }: ClientOptions): Client {
  return {
    async send(topic, value, options = {}) {
      if (!ready())
        throw new CauceError("unavailable", "Kafka's topics are not ready yet", { retryable: true });
      const id = options.id ?? crypto.randomUUID();
      const bornAtMs = clock.nowMs();
      const record = await recordOf(topic, value, {
        id,
        source: `/${app}`,
        bornAtMs,
        traceparent: options.traceparent ?? null,
      });
      if (options.after === undefined) await bus.publish([record]);
      else {
        await store.schedule([
          {
            handler: "client",
            messageId: id,
            delivery: 0,
            record,
            kind: "output",
            reason: options.reason ?? "after",
            error: "",
            attempts: 0,
            deferrals: 0,
            delayMs: durationMs(options.after),
            bornAtMs,
            ...(topic.version > 1 && { version: topic.version }),
          },
        ]);
      }
      return id;
    },
  };
}
