/**
 * Questions to the broker whose answers come as events: a promise for each.
 *
 * In: a call that takes an opaque number and answers on a queue. Out: what the answer held, read while its event lived.
 * Never here: a call that waits inside librdkafka.
 */
import { CauceError } from "../ground/errors.ts";
import { requestFailure } from "./failures.ts";
import type { Pump } from "./pump.ts";
import type { Address } from "./symbols.ts";
import { scratch, text } from "./symbols.ts";

interface Waiting {
  read(event: Address): void;
  reject(error: CauceError): void;
}

/** What is asked: the kind of event that answers, a name for errors, and how long the broker may take. */
export interface Question<Answer> {
  readonly answeredBy: number;
  readonly what: string;
  readonly timeoutMs: number;
  /** For requests about a group: only offsets that no open transaction can change. */
  readonly stableOffsets?: boolean;
  /** Starts the request with native options that are freed when this returns. */
  start(options: Address): void;
  /** Reads the answer; throws a `CauceError` where it says no. */
  read(event: Address): Answer;
}

export class Requests {
  readonly #pump: Pump;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  constructor(pump: Pump, answeredBy: readonly number[]) {
    this.#pump = pump;
    for (const type of answeredBy) pump.on(type, (event) => this.#answered(event));
  }

  /** Asks once. @throws CauceError `broker` where the broker refuses or is away, `closed` after `close`. */
  ask<Answer>(question: Question<Answer>): Promise<Answer> {
    const { library, client } = this.#pump;
    const { native } = library;
    if (this.#pump.closed)
      return Promise.reject(new CauceError("closed", `${question.what}: the client was closed`));
    const opaque = this.#next++;
    const options = native.rd_kafka_AdminOptions_new(client, ANY_REQUEST) ?? 0;
    const reason = scratch(256);
    native.rd_kafka_AdminOptions_set_request_timeout(options, question.timeoutMs, reason.address, 256);
    native.rd_kafka_AdminOptions_set_opaque(options, opaque);
    if (question.stableOffsets) {
      const error = native.rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
      if (error) native.rd_kafka_error_destroy(error);
    }
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(opaque, {
        read: (event) => {
          const err = native.rd_kafka_event_error(event);
          if (err !== 0) {
            const detail = text(native.rd_kafka_event_error_string(event));
            throw requestFailure(library, err, detail === "" ? question.what : `${question.what}: ${detail}`);
          }
          resolve(question.read(event));
        },
        reject,
      });
      try {
        question.start(options);
      } finally {
        native.rd_kafka_AdminOptions_destroy(options);
      }
    });
  }

  /** Rejects everything that was asked and not answered. */
  close(): void {
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new CauceError("closed", "the client was closed before the broker answered"));
    }
    this.#waiting.clear();
  }

  #answered(event: Address): void {
    const opaque = this.#pump.library.native.rd_kafka_event_opaque(event) ?? 0;
    const waiting = this.#waiting.get(opaque);
    this.#waiting.delete(opaque);
    try {
      waiting?.read(event);
    } catch (error) {
      waiting?.reject(
        error instanceof CauceError
          ? error
          : new CauceError("defect", "an answer could not be read", { cause: error }),
      );
    }
  }
}

/** RD_KAFKA_ADMIN_OP_ANY. */
const ANY_REQUEST = 0;
