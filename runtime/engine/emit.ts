/**
 * From what a handler returned to what is published now and what waits.
 *
 * In: the emissions that were made and the value that was returned. Out: records and rows with derived ids.
 * Refuses an output that was made and not returned, or returned and not made by this run.
 */
import type { OutgoingRecord } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import type { Emission } from "../handler/emission.ts";
import type { AnyTopic } from "../handler/topic.ts";
import type { ScheduledMessage } from "../store/store.ts";
import { deriveId, writeEnvelope, type Envelope, type NewEnvelope } from "./envelope.ts";
import type { Done, Output } from "./outcome.ts";
import { validate } from "./validate.ts";

export interface EmitOrigin {
  readonly by: {
    /** Of the names, `source` is `/<app>/<handler>`. */
    readonly names: { readonly source: string };
    readonly handler: { readonly name: string };
  };
  readonly input: Envelope;
  readonly nowMs: number;
}

interface Emitted extends Done {
  readonly publish: Output[];
  readonly schedule: ScheduledMessage[];
}

/**
 * Makes records and rows, in order: what a run that went well comes to. A promise only where a schema makes one.
 * @throws CauceError `output_misused` or `invalid_value`, or rejects with it
 */
export function emit(returned: unknown, made: readonly Emission[], origin: EmitOrigin): Done | Promise<Done> {
  const emitted: Emitted = { kind: "done", publish: [], schedule: [] };
  const list = returnedEmissions(returned, made);
  for (let index = 0; index < list.length; index++) {
    const later = emitOne(list, index, origin, emitted);
    if (later !== undefined) return emitRest(list, index, later, origin, emitted);
  }
  return emitted;
}

async function emitRest(
  list: readonly Emission[],
  waiting: number,
  later: Promise<void>,
  origin: EmitOrigin,
  emitted: Emitted,
): Promise<Done> {
  await later;
  for (let index = waiting + 1; index < list.length; index++) await emitOne(list, index, origin, emitted);
  return emitted;
}

function emitOne(
  list: readonly Emission[],
  index: number,
  origin: EmitOrigin,
  emitted: Emitted,
): Promise<void> | undefined {
  const emission = list[index];
  if (emission === undefined) return undefined;
  const { input, nowMs: bornAtMs } = origin;
  const id = deriveId(input.id, emission.output, index);
  const { source } = origin.by.names;
  const about = { id, source, bornAtMs, traceparent: null, parent: input.traceparent };
  const record = recordOf(emission.topic, emission.value, about);
  if (record instanceof Promise)
    return record.then((late) => add({ messageId: id, record: late, bornAtMs }, emission, origin, emitted));
  return add({ messageId: id, record, bornAtMs }, emission, origin, emitted);
}

function add(
  output: Output,
  { afterMs, reason, topic }: Emission,
  { by }: EmitOrigin,
  { publish, schedule }: Emitted,
): undefined {
  if (afterMs === null) {
    publish.push(output);
    return;
  }
  schedule.push({
    ...output,
    handler: by.handler.name,
    delivery: 0,
    kind: "output",
    reason,
    error: "",
    attempts: 0,
    deferrals: 0,
    delayMs: afterMs,
    ...(topic.version > 1 && { version: topic.version }),
  });
}

/** A value on its way out: validated, encoded, keyed, in an envelope. A promise only where the schema makes one. */
export function recordOf(
  topic: AnyTopic,
  value: unknown,
  envelope: Pick<NewEnvelope, "id" | "bornAtMs" | "traceparent" | "parent" | "source">,
): OutgoingRecord | Promise<OutgoingRecord> {
  const checked = validate(topic, value);
  return checked instanceof Promise
    ? checked.then(() => written(topic, value, envelope))
    : written(topic, value, envelope);
}

function written(
  topic: AnyTopic,
  value: unknown,
  { id, bornAtMs, traceparent, parent = null, source }: Parameters<typeof recordOf>[2],
): OutgoingRecord {
  const key = topic.key(value as never);
  return {
    topic: topic.name,
    key: typeof key === "string" ? utf8.encode(key) : key,
    value: topic.codec.encode(value),
    headers: writeEnvelope({
      id,
      bornAtMs,
      traceparent,
      parent,
      source,
      type: topic.name,
      contentType: topic.codec.contentType,
      schema: topic.version,
      attempts: 0,
      deferrals: 0,
      delivery: 0,
    }),
  };
}

const utf8 = new TextEncoder();

function returnedEmissions(returned: unknown, made: readonly Emission[]): readonly Emission[] {
  // Most runs make one output and return it: no set for those.
  if (made.length <= 1 && returned === made[0]) return made;
  return checkReturned(listOf(returned), made);
}

/** What a handler returned, as a list. */
export function listOf(returned: unknown): readonly unknown[] {
  return returned === undefined ? [] : Array.isArray(returned) ? returned : [returned];
}

/** @throws CauceError `output_misused` unless all that was made in this run was returned, each once, and nothing else. */
export function checkReturned(list: readonly unknown[], made: readonly Emission[]): readonly Emission[] {
  const known = new Set<unknown>(made);
  for (const item of list) {
    if (!known.delete(item)) {
      throw new CauceError(
        "output_misused",
        "a handler returned something that none of its `out` constructors made in this run",
      );
    }
  }
  if (known.size > 0) {
    const names = [...known].map((emission) => `out.${(emission as Emission).output}(…)`).join(", ");
    throw new CauceError(
      "output_misused",
      `${names} was made and not returned: return it, or it is not published`,
    );
  }
  return list as readonly Emission[];
}
