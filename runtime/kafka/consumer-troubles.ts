/**
 * What a consumer's owner is told of trouble: brokers away and back, offsets that are gone, topics that are missing.
 *
 * In: errors of the client and of partitions, signs of life. Out: troubles, each said once. Never here: what to do about it.
 */
import type { BusTrouble } from "../bus/bus.ts";
import type { PartitionError } from "./batch.ts";
import type { ClientEvent } from "./events.ts";
import { ERROR } from "./failures.ts";

export class Troubles {
  readonly #tell: (trouble: BusTrouble) => void;
  #away = false;

  constructor(tell: (trouble: BusTrouble) => void) {
    this.#tell = tell;
  }

  /** Can no broker be reached, as far as is known? */
  get away(): boolean {
    return this.#away;
  }

  clientFailed({ err, message, away }: Extract<ClientEvent, { kind: "error" }>): void {
    if (away) {
      if (this.#away) return;
      this.#away = true;
      this.#tell({ kind: "broker_away", message });
      return;
    }
    if (err === ERROR.transport || err === ERROR.resolve) return; // one connection; ALL_BROKERS_DOWN says when it matters
    const missing = err === ERROR.unknownTopicOrPartition || err === ERROR.unknownTopic;
    this.#tell({ kind: missing ? "topic_missing" : "other", message });
  }

  partitionFailed({ topic, partition, offset, err, message }: PartitionError): void {
    const outOfRange = err === ERROR.autoOffsetReset || err === ERROR.offsetOutOfRange;
    const missing =
      err === ERROR.unknownTopicOrPartition || err === ERROR.unknownTopic || err === ERROR.unknownPartition;
    this.#tell({
      kind: outOfRange ? "offset_out_of_range" : missing ? "topic_missing" : "other",
      message: outOfRange
        ? `${topic} ${partition} has no offset ${offset} any more, and stands still until its group is given another one: ${message}`
        : `${topic} ${partition}: ${message}`,
      ...(partition >= 0 ? { partition: { topic, partition } } : {}),
    });
  }

  brokerAnswered(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#tell({ kind: "broker_back", message: "a broker answers again" });
  }
}
