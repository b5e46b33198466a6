/**
 * The end of a record on which the process died too often: a dead letter, without running it.
 *
 * In: a record, the reason in words. Out: what *process* would answer. The value is read for those who watch steps only.
 */
import { CauceError } from "../ground/errors.ts";
import { unreadable } from "./conclude.ts";
import { concluded, type Attempt, type Processed } from "./process.ts";
import { readValue } from "./read.ts";

export function condemn({ record, envelope, processing }: Attempt, words: string): Processed {
  const read = readValue(record, processing.handler.on);
  const value = read instanceof Promise ? undefined : read.value;
  const outcome = unreadable(new CauceError("killed_process", words), record, envelope, processing);
  return concluded({ envelope, value, processing }, outcome);
}
