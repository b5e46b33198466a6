/**
 * Records that a broker refused because their batch is too large.
 *
 * In: which records of a call were not written for that reason, and where the others lie. Out: an error that its owner may mend by
 * sending those again, each in a batch of its own. A broker measures batches: a topic with a small `max.message.bytes` refuses
 * many small records together, and librdkafka, unlike the Java client, does not split them. Never here: the second try.
 */
import type { Positions } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";

/** Code `record_too_large`. Whether any single one is too large is not known. */
export class RefusedTogether extends CauceError {
  /** Indices of the records to send again, ascending; all others are acknowledged. All of them where not only size was wrong. */
  readonly left: readonly number[];
  /** Where those lie that are acknowledged. */
  readonly positions: Positions;

  constructor(message: string, parts: { readonly left: readonly number[]; readonly positions: Positions }) {
    super("record_too_large", message);
    this.left = parts.left;
    this.positions = parts.positions;
  }
}
