/**
 * Carries a dead letter out: published on the dead letter topic, then a row with its reason and its bytes.
 *
 * In: a letter. Out: nothing, once both are acknowledged. What is too large for the topic leaves a stub there.
 * Never here: what makes a message a dead letter (conclude.ts), offsets.
 */
import type { Bus, RecordHeaders } from "../bus/bus.ts";
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
  const { record } = letter;
  const about = letterHeaders(letter);
  const whole = {
    topic: deadLetterTopic,
    key: record.key,
    value: record.value,
    headers: [...record.headers, ...about],
  };
  try {
    await persist(() => bus.publish([whole]), patience);
  } catch (error) {
    if (!(error instanceof CauceError) || error.code !== "record_too_large") throw error;
    // The bytes are in the row; the topic gets a stub that says so.
    const stub: RecordHeaders = [...about, ["cauce_stub", utf8.encode("the record is in cauce.dead_letter")]];
    await persist(() => bus.publish([{ ...whole, key: null, value: null, headers: stub }]), patience);
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
