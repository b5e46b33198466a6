/**
 * Commits that are acknowledged: a promise for each, answered by an event.
 *
 * In: offsets, with a text beside each where wanted. Out: resolved once the broker has written them.
 * Never here: which offsets may be committed (assignment.ts), an automatic commit.
 */
import { CauceError } from "../ground/errors.ts";
import { EVENT } from "./client.ts";
import { ERROR, requestFailure } from "./failures.ts";
import { type PartitionEntry, readList, withList } from "./partitions.ts";
import type { Pump } from "./pump.ts";
import type { Address } from "./symbols.ts";

interface Waiting {
  resolve(): void;
  reject(error: CauceError): void;
}

export class Commits {
  readonly #pump: Pump;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  constructor(pump: Pump) {
    this.#pump = pump;
    pump.on(EVENT.commit, (event) => this.#answered(event));
  }

  /** @throws CauceError `broker`: refused, or the group moved on; `metadata_refused`; `closed` */
  commit(offsets: readonly PartitionEntry[]): Promise<void> {
    const { library, client, queue } = this.#pump;
    const opaque = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(opaque, { resolve, reject });
      const err = withList(library, offsets, (list) =>
        library.native.rd_kafka_commit_queue(client, list, queue, null, opaque),
      );
      if (err !== ERROR.none) this.#settle(opaque, err);
    });
  }

  close(): void {
    const closed = new CauceError(
      "closed",
      "the consumer was closed before the broker acknowledged the commit",
    );
    for (const waiting of this.#waiting.values()) waiting.reject(closed);
    this.#waiting.clear();
  }

  #answered(event: Address): void {
    const { native } = this.#pump.library;
    const opaque = native.rd_kafka_event_opaque(event) ?? 0;
    const partitions = readList(native.rd_kafka_event_topic_partition_list(event) ?? 0);
    const err = native.rd_kafka_event_error(event) || (partitions.find((entry) => entry.err !== 0)?.err ?? 0);
    this.#settle(opaque, err);
  }

  #settle(opaque: number, err: number): void {
    const waiting = this.#waiting.get(opaque);
    this.#waiting.delete(opaque);
    if (err === ERROR.none) waiting?.resolve();
    else {
      const failure = requestFailure(this.#pump.library, err, "the commit was not acknowledged");
      if (BEHIND.has(err)) waiting?.reject(new CauceError("broker", failure.message, { retryable: true }));
      else
        waiting?.reject(
          err === METADATA_TOO_LARGE ? new CauceError("metadata_refused", failure.message) : failure,
        );
    }
  }
}

/** OFFSET_METADATA_TOO_LARGE */
const METADATA_TOO_LARGE = 12;

/** The group has moved on and this member has not heard of it yet: a later commit carries its new generation. */
const BEHIND: ReadonlySet<number> = new Set([
  22, // ILLEGAL_GENERATION
  25, // UNKNOWN_MEMBER_ID
  110, // FENCED_MEMBER_EPOCH
  113, // STALE_MEMBER_EPOCH
]);
