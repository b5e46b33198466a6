/**
 * One call of `Producer.produce`: which of its records were handed over, and which of those are answered.
 *
 * In: records, then what became of them, piece by piece. Out: its promise, settled once nothing of it is in flight.
 */
import type { Positions } from "../bus/bus.ts";
import type { CauceError } from "../ground/errors.ts";
import { type AnsweredPiece, AnsweredPositions, type Answers } from "./answers.ts";
import type { ProducedRecord } from "./outgoing.ts";
import { RefusedTogether } from "./refused-together.ts";

interface Piece extends AnsweredPiece {
  readonly bytes: number;
}

export class ProduceCall {
  readonly records: readonly ProducedRecord[];
  readonly settled: Promise<Positions>;
  /** The first thing that went wrong: nothing more is handed over then. */
  failure: CauceError | undefined;
  /** Records that the broker refused for the size of their batch. */
  readonly #refused: number[] = [];
  /** Did anything else go wrong? */
  #failedOtherwise = false;
  readonly #pieces: Piece[] = [];
  readonly #resolve: (positions: Positions) => void;
  readonly #reject: (error: CauceError) => void;
  #handedOver = 0;
  #unanswered = 0;

  constructor(records: readonly ProducedRecord[]) {
    this.records = records;
    const { promise, resolve, reject } = Promise.withResolvers<Positions>();
    this.settled = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** How many records librdkafka has taken. */
  get handedOver(): number {
    return this.#handedOver;
  }

  get isHandedOver(): boolean {
    return this.#handedOver === this.records.length;
  }

  /** Was any of its records not delivered, whether or not the others are answered? */
  get hasRefused(): boolean {
    return this.#pieces.some(({ answers }) => answers.failed > 0);
  }

  /** librdkafka took these, next in order. */
  handed({
    answers,
    count,
    bytes,
  }: {
    readonly answers: Answers;
    readonly count: number;
    readonly bytes: number;
  }): void {
    const from = this.#handedOver;
    this.#pieces.push({ answers, count, bytes, topicOf: (index) => this.records[from + index]?.topic ?? "" });
    this.#handedOver += count;
    this.#unanswered++;
  }

  /** Where the answers with this id are written. */
  answersOf(id: number): Answers | undefined {
    return this.#pieceOf(id)?.answers;
  }

  /** All records of this piece are answered. */
  answered(id: number): Piece | undefined {
    this.#unanswered--;
    return this.#pieceOf(id);
  }

  /** This record was not delivered. `failure` says why; `forSize`: the broker found its batch too large. */
  refused(
    answers: Answers,
    index: number,
    { failure, forSize }: { readonly failure: CauceError; readonly forSize: boolean },
  ): void {
    if (!forSize) this.fail(failure);
    else {
      // In a transaction the others are purged for it: that is no reason of its own.
      if (this.failure === undefined || this.failure.code === "broker") this.failure = failure;
      this.#refused.push(this.#firstOf(answers) + index);
    }
  }

  /** Something went wrong that has nothing to do with size. */
  fail(failure: CauceError): void {
    this.failure ??= failure;
    this.#failedOtherwise = true;
  }

  settleIfComplete(): void {
    if (this.#unanswered > 0) return;
    if (this.failure) this.#reject(this.#mendable(this.failure));
    else if (this.isHandedOver) this.#resolve(new AnsweredPositions(this.#pieces));
  }

  /** No answer will come any more. */
  giveUp(): void {
    this.#unanswered = 0;
    this.settleIfComplete();
  }

  /** The failure, with what is left to send where its records may be small enough each by itself. */
  #mendable(failure: CauceError): CauceError {
    if (failure.code !== "record_too_large" || this.#refused.length === 0) return failure;
    const sent = this.#failedOtherwise ? 0 : this.#handedOver;
    const unsent = Array.from({ length: this.records.length - sent }, (_, at) => sent + at);
    const left = this.#failedOtherwise ? unsent : [...this.#refused.toSorted((a, b) => a - b), ...unsent];
    return new RefusedTogether(failure.message, { left, positions: new AnsweredPositions(this.#pieces) });
  }

  /** The index of a piece's first record. */
  #firstOf(answers: Answers): number {
    let first = 0;
    for (const piece of this.#pieces) {
      if (piece.answers === answers) break;
      first += piece.count;
    }
    return first;
  }

  #pieceOf(id: number): Piece | undefined {
    const [first] = this.#pieces;
    return first?.answers.id === id ? first : this.#pieces.find(({ answers }) => answers.id === id);
  }
}
