/**
 * How batches cross between librdkafka and JavaScript, in one of two ways with the same results.
 *
 * In: queues, events, encoded records. Out: buffers laid out as layout.ts says. "shim" is crossing.c, compiled at start
 * by the C compiler inside Bun; "plain" calls librdkafka once per field and works wherever bun:ffi does.
 * Never here: what a record means.
 */
import type { Address } from "./symbols.ts";

export interface Crossing {
  readonly kind: "shim" | "plain";
  /** Why it is not the shim, where that was tried. */
  readonly reason?: string;
  /**
   * Takes at most `most` records off a queue without waiting.
   * @returns undefined where none is there, else a buffer that is the caller's alone.
   */
  fetch(queue: Address, most: number): FetchedBuffer | undefined;
  /** Hands encoded records to the producer, in order, and stops at the first that it refuses. */
  produce(client: Address, encoded: Uint8Array, count: number, firstOpaque: number): ProduceResult;
  /** Reads the delivery reports of an event into a buffer that is used again by the next call. */
  deliveries(event: Address): DeliveryBuffer;
}

export interface FetchedBuffer {
  readonly count: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface ProduceResult {
  /** Records taken over, from the first on. */
  readonly taken: number;
  /** librdkafka's number for why the next one was refused, or 0. */
  readonly err: number;
}

export interface DeliveryBuffer {
  readonly count: number;
  readonly view: DataView;
}

/** `auto` takes the shim where it compiles, and plain calls elsewhere. */
export type CrossingChoice = "auto" | "shim" | "plain";

/** The most records that cross at once. */
export const MOST_RECORDS = 4096;
