/**
 * The end of a record on which the process died too often: a dead letter, without running it.
 *
 * In: a record, the reason in words. Out: what *process* would answer. The value is read for those who watch steps only.
 */
import type { IncomingRecord } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { unreadable } from "./conclude.ts";
import { readEnvelope } from "./envelope.ts";
import { concluded, type Processed, type Processing } from "./process.ts";
import { readValue } from "./read.ts";

export function condemn(record: IncomingRecord, processing: Processing, words: string): Processed {
  const envelope = readEnvelope(record);
  const read = readValue(record, processing.handler.on);
  const value = read instanceof Promise ? undefined : read.value;
  const outcome = unreadable(new CauceError("killed_process", words), record, envelope, processing);
  return concluded({ envelope, value, processing }, outcome);
}
