/**
 * Writes checked messages into the caller's own transaction.
 *
 * In: a topic, a value, a transaction. Out: one statement in that transaction, which makes a row of the schedule; the scheduler
 * sees it when the transaction commits. Never here: a connection, a commit, publishing.
 */
import type { Outbox, OutboxOptions, Transaction } from "../application/outbox.ts";
import { isMessageId, isOfEnvelope } from "../engine/envelope.ts";
import { recordOf } from "../engine/emit.ts";
import { systemClock, type Clock } from "../ground/clock.ts";
import { durationMs } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import type { AnyTopic, InputOf } from "../handler/topic.ts";
import { databaseFailure } from "../store/failure.ts";
import { sendingLater } from "../store/send-later.ts";
import type { ScheduledMessage } from "../store/store.ts";
import { statementIn } from "./transaction.ts";

export interface OutboxSettings {
  /** The application whose schedulers publish the messages; its name as `application({ name })` says it. */
  readonly app: string;
  /** Where Cauce's tables are, in the transaction's own database. Default `cauce`. */
  readonly schema?: string;
  readonly clock?: Clock;
}

/** @throws CauceError `config_invalid` for an app or a schema that cannot be. */
export function createOutbox({ app, schema = "cauce", clock = systemClock }: OutboxSettings): Outbox {
  const later = sendingLater({ app, schema });
  return (transaction: Transaction) => {
    const run = statementIn(transaction);
    return {
      async send<T extends AnyTopic>(topic: T, value: InputOf<T>, options: OutboxOptions = {}) {
        const message = await messageOf(topic, value, { app, clock, options });
        try {
          await run(later.text, later.parametersOf(message));
        } catch (error) {
          throw databaseFailure(error);
        }
        return message.messageId;
      },
    };
  };
}

interface Sending {
  readonly app: string;
  readonly clock: Clock;
  readonly options: OutboxOptions;
}

/** @throws CauceError `invalid_value`, before anything is written. */
async function messageOf(
  topic: AnyTopic,
  value: unknown,
  { app, clock, options }: Sending,
): Promise<ScheduledMessage> {
  const {
    id = crypto.randomUUID(),
    after,
    key,
    headers = {},
    reason = "after",
    traceparent = null,
  } = options;
  if (!isMessageId(id)) {
    throw new CauceError("invalid_value", `a message's id must have 1 to 256 characters, not ${id.length}`);
  }
  const reserved = Object.keys(headers).find(isOfEnvelope);
  if (reserved !== undefined) {
    throw new CauceError("invalid_value", `the header ${reserved} is written by Cauce itself`);
  }
  const delayMs = after === undefined ? 0 : durationMs(after);
  const bornAtMs = clock.nowMs();
  const record = await recordOf(topic, value, { id, source: `/${app}`, bornAtMs, traceparent });
  return {
    handler: "client",
    messageId: id,
    delivery: 0,
    record: {
      ...record,
      ...(key !== undefined && { key: bytesOf(key) }),
      headers: [
        ...record.headers,
        ...Object.entries(headers).map(([name, text]) => [name, bytesOf(text)] as const),
      ],
    },
    kind: "output",
    reason: after === undefined ? "outbox" : reason,
    error: "",
    attempts: 0,
    deferrals: 0,
    delayMs,
    bornAtMs,
    ...(topic.version > 1 && { version: topic.version }),
  };
}

const utf8 = new TextEncoder();

function bytesOf<Given extends string | Uint8Array | null>(given: Given) {
  return typeof given === "string" ? utf8.encode(given) : (given as Exclude<Given, string>);
}
