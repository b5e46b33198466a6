/**
 * What becomes of records: memory that delivery reports are written into, on the native side of the border.
 *
 * In: how many records cross. Out: a place for their answers, whose address each record carries as its opaque. It stays
 * where it is for as long as it is referenced, and whoever crossed keeps it until every record is answered.
 */
import type { Positions, RecordPosition } from "../bus/bus.ts";
import { ANSWER, ANSWERS } from "./layout.ts";
import { type Address, scratch } from "./symbols.ts";

/** One answer of a record that was not delivered. */
export interface Refusal {
  readonly index: number;
  readonly err: number;
  readonly persisted: number;
}

/** The answers of the records of one crossing. */
export class Answers {
  readonly id: number;
  /** Where the native side finds it. */
  readonly address: Address;
  readonly #view: DataView;
  readonly #at: number;

  constructor(id: number, slab: Slab, at: number) {
    this.id = id;
    this.#view = slab.view;
    this.#at = at;
    this.address = slab.address + at;
    this.#view.setFloat64(at + ANSWERS.id, id, true);
    this.#view.setInt32(at + ANSWERS.unanswered, 0, true);
    this.#view.setInt32(at + ANSWERS.failed, 0, true);
  }

  get unanswered(): number {
    return this.#view.getInt32(this.#at + ANSWERS.unanswered, true);
  }

  /** How many were not delivered. */
  get failed(): number {
    return this.#view.getInt32(this.#at + ANSWERS.failed, true);
  }

  partition(index: number): number {
    return this.#view.getInt32(this.#cell(index) + ANSWER.partition, true);
  }

  offset(index: number): number {
    return Math.max(-1, this.#view.getFloat64(this.#cell(index) + ANSWER.offset, true));
  }

  /** Those of `count` that were not delivered. */
  *refusals(count: number): Iterable<Refusal> {
    for (let index = 0; index < count; index++) {
      const err = this.#view.getInt32(this.#cell(index) + ANSWER.err, true);
      const persisted = this.#view.getInt32(this.#cell(index) + ANSWER.status, true);
      if (err !== 0) yield { index, err, persisted };
    }
  }

  /** For a crossing without C: notes one answer. @returns whether it was the last one. */
  note(
    index: number,
    answer: {
      readonly err: number;
      readonly persisted: number;
      readonly partition: number;
      readonly offset: number;
    },
  ): boolean {
    const cell = this.#cell(index);
    this.#view.setFloat64(cell + ANSWER.offset, answer.offset, true);
    this.#view.setInt32(cell + ANSWER.partition, answer.partition, true);
    this.#view.setInt32(cell + ANSWER.err, answer.err, true);
    this.#view.setInt32(cell + ANSWER.status, answer.persisted, true);
    if (answer.err !== 0) this.#view.setInt32(this.#at + ANSWERS.failed, this.failed + 1, true);
    const unanswered = this.unanswered - 1;
    this.#view.setInt32(this.#at + ANSWERS.unanswered, unanswered, true);
    return unanswered === 0;
  }

  /** For a crossing without C: so many were handed over. */
  expect(count: number): void {
    for (let index = 0; index < count; index++)
      this.#view.setInt32(this.#cell(index) + ANSWER.index, index, true);
    this.#view.setInt32(this.#at + ANSWERS.unanswered, count, true);
  }

  #cell(index: number): number {
    return this.#at + ANSWERS.size + index * ANSWER.size;
  }
}

interface Slab {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly address: Address;
}

/** Gives out places for answers, many from one piece of memory. */
export class AnswerBook {
  #slab: Slab = scratch(SLAB_BYTES);
  #used = 0;
  #nextId = 1;

  /** A place for the answers of at most `records` records. */
  open(records: number): Answers {
    const bytes = ANSWERS.size + records * ANSWER.size;
    if (this.#used + bytes > this.#slab.bytes.byteLength) {
      this.#slab = scratch(Math.max(SLAB_BYTES, bytes));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += bytes;
    return new Answers(this.#nextId++, this.#slab, at);
  }
}

/** About 2,700 answers; it goes when the last of them was read. */
const SLAB_BYTES = 64 * 1024;

/** Where acknowledged records lie: made when somebody looks, since most never do. */
export class AnsweredPositions implements Positions {
  readonly #pieces: readonly AnsweredPiece[];
  readonly length: number;

  constructor(pieces: readonly AnsweredPiece[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, { count }) => sum + count, 0);
  }

  at(index: number): RecordPosition | undefined {
    let first = 0;
    for (const { answers, count, topicOf } of this.#pieces) {
      const within = index - first;
      if (within >= 0 && within < count) {
        return {
          topic: topicOf(within),
          partition: answers.partition(within),
          offset: answers.offset(within),
        };
      }
      first += count;
    }
    return undefined;
  }

  *[Symbol.iterator](): Iterator<RecordPosition> {
    for (let index = 0; index < this.length; index++) {
      const position = this.at(index);
      if (position) yield position;
    }
  }
}

export interface AnsweredPiece {
  readonly answers: Answers;
  readonly count: number;
  /** The topic of its record at this place. */
  readonly topicOf: (index: number) => string;
}
