/**
 * Carries an Outcome out, always in this order: outputs acknowledged → rows committed. Then the offset may move.
 *
 * In: an Outcome. Out: the one that was carried out (an output that is too large turns into a dead letter).
 * A crash between any two steps repeats work under the same ids and never loses it. Never here: offsets, decisions.
 */
import type { Bus, RecordHeaders } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { DeadLetter, ScheduledMessage, Store } from "../store/store.ts";
import type { Output, Settled } from "./outcome.ts";
import { persist, type Patience } from "./persist.ts";

export interface Settling {
  readonly bus: Pick<Bus, "publish">;
  readonly store: Pick<Store, "schedule" | "bury">;
  readonly deadLetterTopic: string;
  readonly handlerName: string;
  /**
   * True while publishing would block a cycle of topics (an embedded broker that is full): outputs then become rows that
   * are due at once.
   */
  readonly detour?: () => boolean;
  /** Makes the dead letter of a message whose output could not be published. */
  readonly letterFor: (error: CauceError) => DeadLetter;
}

/** The dead letter's reason in its headers is cut at this many characters; the row has more. */
const LONGEST_HEADER_TEXT = 500;

/** @throws CauceError `aborted` when `patience.signal` stops it; nothing is lost then, the message is not finished. */
export async function settle(outcome: Settled, settling: Settling, patience: Patience): Promise<Settled> {
  switch (outcome.kind) {
    case "done":
      try {
        await publishAndSchedule(outcome.publish, outcome.schedule, settling, patience);
        return outcome;
      } catch (error) {
        if (!(error instanceof CauceError) || error.code !== "record_too_large") throw error;
        return settle({ kind: "dead", letter: settling.letterFor(error) }, settling, patience);
      }
    case "retry":
      await persist(() => settling.store.schedule([outcome.schedule]), patience);
      failpoint("settle.rows_written");
      return outcome;
    case "dead":
      await publishLetter(outcome.letter, settling, patience);
      failpoint("settle.letter_published");
      await persist(() => settling.store.bury([outcome.letter]), patience);
      failpoint("settle.letter_written");
      return outcome;
  }
}

/** As `settle` for the messages of one batch, in order, with one publish and one insert for all where nothing is too large. */
export async function settleTogether(
  items: readonly { readonly outcome: Settled; readonly settling: Settling }[],
  patience: Patience,
): Promise<readonly Settled[]> {
  const [first] = items;
  if (first === undefined) return [];
  const publish = items.flatMap(({ outcome }) => (outcome.kind === "done" ? outcome.publish : []));
  const schedule = items.flatMap(({ outcome }) =>
    outcome.kind === "done" ? outcome.schedule : outcome.kind === "retry" ? [outcome.schedule] : [],
  );
  let left = items.filter(({ outcome }) => outcome.kind === "dead");
  try {
    await publishAndSchedule(publish, schedule, first.settling, patience);
  } catch (error) {
    if (!(error instanceof CauceError) || error.code !== "record_too_large") throw error;
    // One of them is to blame: each alone, again under the same ids.
    left = [...items];
  }
  const carriedOut = new Map<Settled, Settled>();
  for (const { outcome, settling } of left)
    carriedOut.set(outcome, await settle(outcome, settling, patience));
  return items.map(({ outcome }) => carriedOut.get(outcome) ?? outcome);
}

async function publishAndSchedule(
  publish: readonly Output[],
  schedule: readonly ScheduledMessage[],
  settling: Settling,
  patience: Patience,
): Promise<void> {
  const detour = publish.length > 0 && settling.detour?.() === true;
  const records = detour ? [] : publish.map((output) => output.record);
  const rows = detour
    ? [...publish.map((output) => rowDueNow(output, settling.handlerName)), ...schedule]
    : schedule;
  if (records.length > 0) {
    await persist(() => settling.bus.publish(records), patience);
    failpoint("settle.published");
  }
  if (rows.length > 0) {
    await persist(() => settling.store.schedule(rows), patience);
    failpoint("settle.rows_written");
  }
}

function rowDueNow({ messageId, record, bornAtMs }: Output, handler: string): ScheduledMessage {
  return {
    handler,
    messageId,
    delivery: 0,
    record,
    kind: "output",
    reason: "the embedded broker is full",
    error: "",
    attempts: 0,
    deferrals: 0,
    delayMs: 0,
    bornAtMs,
  };
}

async function publishLetter(letter: DeadLetter, settling: Settling, patience: Patience): Promise<void> {
  const { record } = letter;
  const about = letterHeaders(letter);
  const whole = {
    topic: settling.deadLetterTopic,
    key: record.key,
    value: record.value,
    headers: [...record.headers, ...about],
  };
  try {
    await persist(() => settling.bus.publish([whole]), patience);
  } catch (error) {
    if (!(error instanceof CauceError) || error.code !== "record_too_large") throw error;
    // The bytes are in the row; the topic gets a stub that says so.
    const stub: RecordHeaders = [...about, ["cauce_stub", utf8.encode("the record is in cauce.dead_letter")]];
    await persist(
      () => settling.bus.publish([{ ...whole, key: null, value: null, headers: stub }]),
      patience,
    );
  }
}

const utf8 = new TextEncoder();

function letterHeaders(letter: DeadLetter): RecordHeaders {
  return [
    ["cauce_handler", utf8.encode(letter.handler)],
    ["cauce_message_id", utf8.encode(letter.messageId)],
    ["cauce_cause", utf8.encode(letter.cause)],
    ["cauce_error", utf8.encode(letter.error.slice(0, LONGEST_HEADER_TEXT))],
    ["cauce_topic", utf8.encode(letter.record.topic)],
    ["cauce_position", utf8.encode(`${letter.partition}/${letter.offset}`)],
  ];
}
