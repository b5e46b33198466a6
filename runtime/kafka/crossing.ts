/**
 * How batches cross between librdkafka and JavaScript, in one of two ways with the same results.
 *
 * In: queues, events, tables of records. Out: buffers laid out as layout.ts says. "shim" is crossing.c, compiled at start
 * by the C compiler inside Bun; "plain" calls librdkafka once per field and works wherever bun:ffi does.
 * Never here: what a record means.
 */
import type { Answers } from "./answers.ts";
import type { FetchedBuffer } from "./fetched-buffer.ts";
import type { OutgoingTable } from "./outgoing.ts";
import type { Address } from "./symbols.ts";

export interface Crossing {
  readonly kind: "shim" | "plain";
  /** Why it is not the shim, where that was tried. */
  readonly reason?: string;
  /** Of the shim: was it built ahead of time, and not compiled at start? */
  readonly builtAhead?: boolean;
  /**
   * Takes at most `most` records off a queue without waiting.
   * @returns none where none is there, else one buffer or a few, in order, that are the caller's alone.
   */
  fetch(queue: Address, most: number): readonly FetchedBuffer[];
  /**
   * Hands records of a table to the producer, in order, and stops at the first that it refuses. What becomes of each is written into
   * `answers`, by `deliveries`: the caller keeps them until they are complete.
   */
  produce(client: Address, table: OutgoingTable, count: number, answers: Answers): ProduceResult;
  /** Writes the delivery reports of an event into their answers. @returns the ids of answers that are complete now. */
  deliveries(event: Address, answersOf: (id: number) => Answers | undefined): Float64Array;
}

export interface ProduceResult {
  /** Records taken over, from the first on. */
  readonly taken: number;
  /** librdkafka's number for why the next one was refused, or 0. */
  readonly err: number;
}

/** `auto` takes the shim where it compiles, and plain calls elsewhere. */
export type CrossingChoice = "auto" | "shim" | "plain";

/** The most records that cross at once. */
export const MOST_RECORDS = 4096;
