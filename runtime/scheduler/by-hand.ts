/**
 * Messages that people and other programs wrote into the schedule: checked against their topic, and completed as the engine
 * would have written them.
 *
 * In: a claimed message, what this process declares. Out: the message as it is published, or what is wrong with it.
 * Its id is the row's: a repeat carries the same one. The value's bytes stay as they are. Never here: publishing, parking.
 */
import { completedHeaders, isMessageId } from "../engine/envelope.ts";
import { validate } from "../engine/validate.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { AnyTopic } from "../handler/topic.ts";
import type { ByHand, DueMessage, Misfit } from "../store/store.ts";

export interface Declared {
  /** For `ce_source` of what names none. */
  readonly app: string;
  /** Where a message is published → the topic whose schema it has; for a retry topic, its handler's. */
  readonly topics: ReadonlyMap<string, AnyTopic>;
}

export interface Checked {
  /** In the order given; what the runtime wrote is untouched. */
  readonly fit: readonly DueMessage[];
  readonly misfits: readonly Misfit[];
}

/** Looks at what came by hand; a batch without any costs one pass. */
export async function checkByHand(
  due: readonly DueMessage[],
  declared: Declared | undefined,
): Promise<Checked> {
  if (declared === undefined || !due.some(({ byHand }) => byHand !== undefined))
    return { fit: due, misfits: [] };
  const fit: DueMessage[] = [];
  const misfits: Misfit[] = [];
  for (const message of due) {
    const { byHand } = message;
    try {
      fit.push(byHand === undefined ? message : await completed(message, byHand, declared));
    } catch (error) {
      misfits.push({ due: message, problem: messageOf(error) });
    }
  }
  return { fit, misfits };
}

/** @throws whatever is wrong with it: a CauceError, or what a schema or a key function threw. */
async function completed(due: DueMessage, byHand: ByHand, { app, topics }: Declared): Promise<DueMessage> {
  const { messageId, record, attempts, deferrals, delivery } = due;
  const topic = topics.get(record.topic);
  if (topic === undefined) throw new CauceError("invalid_value", `nobody declares the topic ${record.topic}`);
  if (!isMessageId(messageId)) {
    throw new CauceError("invalid_value", `its id must have 1 to 256 characters, not ${messageId.length}`);
  }
  if (record.value === null) throw new CauceError("undecodable", "it has no value");
  const value = topic.codec.decode(record.value);
  await validate(topic, value);
  const key = record.key ?? topic.key(value as never);
  const headers = completedHeaders(record.headers, {
    id: messageId,
    bornAtMs: byHand.bornAtMs,
    traceparent: null,
    source: `/${app}`,
    type: topic.name,
    contentType: topic.codec.contentType,
    schema: byHand.version ?? topic.version,
    attempts,
    deferrals,
    delivery,
  });
  return { ...due, record: { ...record, key: typeof key === "string" ? utf8.encode(key) : key, headers } };
}

const utf8 = new TextEncoder();
