/**
 * How far a partition is done: the lowest unfinished offset.
 *
 * In: offsets in the order in which they were taken, and which of them are finished. Out: the next offset to commit.
 * Never here: the broker. Offsets may have gaps (compaction, transaction markers).
 */

/** One offset on its way. Only `Frontier.finish` changes it. */
export interface Ticket {
  readonly offset: number;
  finished: boolean;
}

export class Frontier {
  /** Tickets in order; those before `#head` are finished and only wait to be cut off. */
  #tickets: Ticket[] = [];
  #head = 0;
  #next: number | null = null;
  #committed: number | null = null;

  /** Takes the next offset. Offsets only grow; @throws RangeError for one that does not. */
  begin(offset: number): Ticket {
    const last = this.#tickets.at(-1);
    if (last !== undefined && offset <= last.offset) {
      throw new RangeError(`offset ${offset} came after ${last.offset}`);
    }
    const ticket = { offset, finished: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  finish(ticket: Ticket): void {
    ticket.finished = true;
    while (this.#head < this.#tickets.length) {
      const first = this.#tickets[this.#head];
      if (first === undefined || !first.finished) break;
      this.#next = first.offset + 1;
      this.#head++;
    }
    // Cutting in large pieces keeps the cost of a finish constant on average.
    if (this.#head > 1_024 || this.#head === this.#tickets.length) {
      this.#tickets = this.#tickets.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The offset to commit (the next one to read), or null when nothing is new since `committed`. */
  get committable(): number | null {
    return this.#next === this.#committed ? null : this.#next;
  }

  /** Notes what the broker has acknowledged. */
  committed(offset: number): void {
    if (this.#committed === null || offset > this.#committed) this.#committed = offset;
  }

  /** How many are taken and not finished below or above the frontier. */
  get open(): number {
    let open = 0;
    for (let at = this.#head; at < this.#tickets.length; at++) if (!this.#tickets[at]?.finished) open++;
    return open;
  }
}
