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
import { childTrace, deriveId, writeEnvelope, type Envelope } from "./envelope.ts";
import type { Output } from "./outcome.ts";
import { validate } from "./validate.ts";

export interface EmitOrigin {
  /** `/<app>/<handler>`. */
  readonly source: string;
  readonly handlerName: string;
  readonly input: Envelope;
  readonly nowMs: number;
}

export interface Emitted {
  readonly publish: Output[];
  readonly schedule: ScheduledMessage[];
}

/** @throws CauceError `output_misused` or `invalid_value`. */
export async function emit(
  returned: unknown,
  made: readonly Emission[],
  origin: EmitOrigin,
): Promise<Emitted> {
  const emitted: Emitted = { publish: [], schedule: [] };
  let index = 0;
  for (const emission of returnedEmissions(returned, made)) {
    const id = deriveId(origin.input.id, emission.output, index++);
    const record = await recordOf(emission.topic, emission.value, {
      id,
      source: origin.source,
      bornAtMs: origin.nowMs,
      traceparent: childTrace(origin.input.traceparent, id),
    });
    if (emission.afterMs === null) emitted.publish.push({ messageId: id, record, bornAtMs: origin.nowMs });
    else {
      emitted.schedule.push({
        handler: origin.handlerName,
        messageId: id,
        delivery: 0,
        record,
        kind: "output",
        reason: emission.reason,
        error: "",
        attempts: 0,
        deferrals: 0,
        delayMs: emission.afterMs,
        bornAtMs: origin.nowMs,
      });
    }
  }
  return emitted;
}

/** A value on its way out: validated, encoded, keyed, in an envelope. */
export async function recordOf(
  topic: AnyTopic,
  value: unknown,
  envelope: Pick<Envelope, "id" | "bornAtMs" | "traceparent"> & { readonly source: string },
): Promise<OutgoingRecord> {
  await validate(topic, value);
  const key = topic.key(value as never);
  return {
    topic: topic.name,
    key: typeof key === "string" ? utf8.encode(key) : key,
    value: topic.codec.encode(value),
    headers: writeEnvelope({
      ...envelope,
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
