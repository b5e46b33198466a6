/**
 * Publishes claimed rows, and keeps one that can never be published from blocking the rest.
 *
 * In: due messages. Out: all of them acknowledged or buried, but for those written by hand that do not fit their topic, which are
 * named; a rejection when any of them has to wait. Never here: the claim, handlers, retry rules.
 */
import type { OutgoingRecord } from "../bus/bus.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import { withPlace } from "../engine/envelope.ts";
import type { Fences } from "../store/fences.ts";
import type { DeadLetter, DueMessage, Misfit } from "../store/store.ts";
import { checkByHand, type Declared } from "./by-hand.ts";

export interface PublishDue {
  readonly publish: (records: readonly OutgoingRecord[]) => Promise<unknown>;
  readonly bury: (letters: readonly DeadLetter[]) => Promise<unknown>;
  readonly buried: (due: DueMessage, error: CauceError) => void;
  readonly fences: Pick<Fences, "pass">;
  /** Without it, nothing is checked. */
  readonly declared: Declared | undefined;
}

/** @throws what `publish` or `bury` throws, unless it is about one record alone. */
export async function publishDue(due: readonly DueMessage[], doors: PublishDue): Promise<readonly Misfit[]> {
  const { fit, misfits } = await checkByHand(due, doors.declared);
  if (fit.length === 0) return misfits;
  try {
    await doors.publish(fit.map(recordOf));
    return misfits;
  } catch (error) {
    if (!isOfOneRecord(error)) throw error;
    // Which one it was is not said. Those that were acknowledged are published again, with the same id and delivery.
    const found = [...misfits];
    for (const message of fit) found.push(...(await publishOne(message, doors)));
    return found;
  }
}

async function publishOne(message: DueMessage, doors: PublishDue): Promise<readonly Misfit[]> {
  const { publish, bury, buried, fences } = doors;
  try {
    await publish([recordOf(message)]);
  } catch (error) {
    if (!isOfOneRecord(error)) throw error;
    // Whoever wrote it can put it right.
    if (message.byHand) return [{ due: message, problem: messageOf(error) }];
    await bury([letter(message, error)]);
    // What waits behind it must not wait for ever.
    if (message.place) await fences.pass(message.place);
    buried(message, error);
  }
  return [];
}

/** Its place at a fence travels with it. */
function recordOf({ record, place }: DueMessage): OutgoingRecord {
  return place === undefined ? record : { ...record, headers: withPlace(record.headers, place) };
}

/** Failures that no waiting and no other record changes. */
function isOfOneRecord(error: unknown): error is CauceError {
  return error instanceof CauceError && (error.code === "record_too_large" || error.code === "invalid_value");
}

/** The row lay on no partition. It is the scheduler's letter: the handler's own, of the same key, may come later. */
function letter(
  { messageId, delivery, record, attempts, deferrals }: DueMessage,
  error: CauceError,
): DeadLetter {
  const cause = error.code;
  const words = messageOf(error);
  return {
    handler: "scheduler",
    messageId,
    delivery,
    record,
    attempts,
    deferrals,
    partition: -1,
    offset: -1,
    cause,
    error: words,
  };
}
