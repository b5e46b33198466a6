/**
 * From a verdict to the outcome that carries it out: a row for the private retry topic, or a dead letter.
 *
 * In: what was decided about one record. Out: data for *settle*. Pure.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import type { Handler } from "../handler/handler.ts";
import type { DeadLetter } from "../store/store.ts";
import { withCounters, withoutPlace, type Counters, type Envelope } from "./envelope.ts";
import type { HandlerNames } from "./names.ts";
import type { Outcome } from "./outcome.ts";
import { causeOf, LONGEST_ERROR_TEXT, type Verdict } from "./retry.ts";

/** Whose record it is. */
export interface Owner {
  readonly handler: Handler;
  readonly names: HandlerNames;
}

/** The end of a record that could not be read. */
export function unreadable(
  thrown: unknown,
  record: IncomingRecord,
  envelope: Envelope,
  owner: Owner,
): Outcome {
  const error = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, LONGEST_ERROR_TEXT);
  return dead(record, envelope, owner, causeOf(thrown), error, envelope);
}

/** What a verdict means for its record. */
export function outcomeOf(
  verdict: Verdict,
  record: IncomingRecord,
  envelope: Envelope,
  owner: Owner,
): Outcome {
  switch (verdict.kind) {
    case "unavailable":
      return verdict;
    case "dead":
      return dead(record, envelope, owner, verdict.cause, verdict.error, verdict);
    case "retry": {
      const delivery = envelope.delivery + 1;
      const { attempts, deferrals, delayMs, reason, error } = verdict;
      return {
        kind: "retry",
        schedule: {
          handler: owner.handler.name,
          messageId: envelope.id,
          delivery,
          record: {
            topic: owner.names.retryTopic,
            key: record.key,
            value: record.value,
            headers: withCounters(record, envelope, { attempts, deferrals, delivery }),
          },
          kind: "retry",
          reason,
          error,
          attempts,
          deferrals,
          delayMs,
          bornAtMs: envelope.bornAtMs,
          ...(envelope.place !== null && { place: envelope.place }),
          ...(envelope.schema > 1 && { version: envelope.schema }),
        },
      };
    }
  }
}

function dead(
  record: IncomingRecord,
  envelope: Envelope,
  owner: Owner,
  cause: string,
  error: string,
  counters: Omit<Counters, "delivery">,
): Outcome {
  return { kind: "dead", letter: letterOf(record, envelope, owner, { cause, error, ...counters }) };
}

/** The dead letter of a record: its bytes as they came, and why. It stands at no fence any more. */
export function letterOf(
  record: IncomingRecord,
  envelope: Envelope,
  { handler }: Pick<Owner, "handler">,
  why: Pick<DeadLetter, "cause" | "error" | "attempts" | "deferrals">,
): DeadLetter {
  const { cause, error, attempts, deferrals } = why;
  const { key, value, partition, offset } = record;
  return {
    handler: handler.name,
    messageId: envelope.id,
    delivery: envelope.delivery,
    record: { topic: handler.on.name, key, value, headers: withoutPlace(record.headers) },
    partition,
    offset,
    cause,
    error,
    attempts,
    deferrals,
  };
}
