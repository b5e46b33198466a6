/**
 * Carries a dead letter out: published on the dead letter topic, then a row with its reason and its bytes.
 *
 * In: a letter. Out: nothing, once both are acknowledged. What is too large for the topic leaves a stub there.
 * Never here: what makes a message a dead letter (conclude.ts), offsets.
 */
import type { Bus, OutgoingRecord, RecordHeaders } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { failpoint } from "../ground/failpoint.ts";
import type { DeadLetter, Store } from "../store/store.ts";
import { persist, type Patience } from "./persist.ts";

export interface Burying {
  readonly bus: Pick<Bus, "publish">;
  readonly store: Pick<Store, "bury">;
  readonly deadLetterTopic: string;
}

/** The dead letter's reason in its headers is cut at this many characters; the row has more. */
const LONGEST_HEADER_TEXT = 500;

/** @throws CauceError `aborted` when `patience.signal` stops it; nothing is lost then, the message is not finished. */
export async function bury(letter: DeadLetter, burying: Burying, patience: Patience): Promise<void> {
  await publishLetter(letter, burying, patience);
  failpoint("settle.letter_published");
  await persist(() => burying.store.bury([letter]), patience);
  failpoint("settle.letter_written");
}

async function publishLetter(
  letter: DeadLetter,
  { bus, deadLetterTopic }: Burying,
  patience: Patience,
): Promise<void> {
  try {
    await persist(() => bus.publish([letterRecord(letter, deadLetterTopic)]), patience);
  } catch (error) {
    if (!(error instanceof CauceError) || error.code !== "record_too_large") throw error;
    await persist(() => bus.publish([letterStub(letter, deadLetterTopic)]), patience);
  }
}

/** A dead letter as its topic gets it. */
export function letterRecord(letter: DeadLetter, topic: string): OutgoingRecord {
  const { key, value, headers } = letter.record;
  return { topic, key, value, headers: [...headers, ...letterHeaders(letter)] };
}

/** What the topic gets of a letter that is too large for it: the bytes are in the row. */
export function letterStub(letter: DeadLetter, topic: string): OutgoingRecord {
  const stub = ["cauce_stub", utf8.encode("the record is in cauce.dead_letter")] as const;
  return { topic, key: null, value: null, headers: [...letterHeaders(letter), stub] };
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
