/**
 * How far a partition is done: the lowest unfinished offset, and what is finished above it.
 *
 * In: offsets in the order in which they were taken, which of them are finished, and what an earlier owner had finished.
 * Out: what to commit. Never here: the broker. Offsets may have gaps (compaction, transaction markers).
 */

/** One offset on its way. Only `Frontier.finish` changes it. */
export interface Ticket {
  readonly offset: number;
  finished: boolean;
}

/** Offsets from `from` up to and without `to`. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** What a commit says about a partition. */
export interface Progress {
  /** The next offset to read: everything below it is finished. */
  readonly offset: number;
  /** Finished above it, in order, neither touching nor overlapping. */
  readonly above: readonly Run[];
  /** Grows with each finished message. */
  readonly revision: number;
}

export class Frontier {
  /** Tickets in order; those before `#head` are finished and only wait to be cut off. */
  #tickets: Ticket[] = [];
  #head = 0;
  #next: number | null = null;
  /** The last one that was taken. */
  #last = -1;
  #revision = 0;
  #acknowledged = 0;
  /** What an earlier owner had finished above its commit, in order. Those before `#passed` lie behind the last ticket. */
  readonly #restored: readonly Run[];
  #passed = 0;

  constructor(restored: readonly Run[] = []) {
    this.#restored = restored;
  }

  /** Was this offset, or a later one, taken before? */
  taken(offset: number): boolean {
    return offset <= this.#last;
  }

  /** Takes the next offset. Offsets only grow; @throws RangeError for one that does not. */
  begin(offset: number): Ticket {
    if (this.taken(offset)) throw new RangeError(`offset ${offset} came after ${this.#last}`);
    this.#last = offset;
    const ticket = { offset, finished: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** Had an earlier owner finished this offset? Asked in the order of `begin`. */
  wasFinished(offset: number): boolean {
    let run = this.#restored[this.#passed];
    while (run !== undefined && run.to <= offset) run = this.#restored[++this.#passed];
    return run !== undefined && run.from <= offset;
  }

  /** Once is enough: a second time says nothing new. */
  finish(ticket: Ticket): void {
    if (ticket.finished) return;
    ticket.finished = true;
    this.#revision++;
    while (this.#head < this.#tickets.length) {
      const first = this.#tickets[this.#head];
      if (first === undefined || !first.finished) break;
      this.#next = first.offset + 1;
      this.#head++;
    }
    // Cutting in large pieces keeps the cost of a finish constant on average; emptied, the array is used again.
    if (this.#head === this.#tickets.length) this.#tickets.length = 0;
    else if (this.#head > 1_024) this.#tickets = this.#tickets.slice(this.#head);
    else return;
    this.#head = 0;
  }

  /** Is something finished that no acknowledged commit tells? */
  get moved(): boolean {
    return this.#revision !== this.#acknowledged;
  }

  /** What to commit, or null when nothing is new since the last acknowledged one. */
  get progress(): Progress | null {
    const offset = this.#next ?? this.#tickets[this.#head]?.offset;
    if (!this.moved || offset === undefined) return null;
    return { offset, above: this.#above(offset), revision: this.#revision };
  }

  /** Notes what the broker has acknowledged. */
  committed({ revision }: Pick<Progress, "revision">): void {
    if (revision > this.#acknowledged) this.#acknowledged = revision;
  }

  /** How many are remembered: the lowest unfinished one and all that was taken above it. */
  get held(): number {
    return this.#tickets.length - this.#head;
  }

  /** How many are taken and not finished below or above the frontier. */
  get open(): number {
    let open = 0;
    for (let at = this.#head; at < this.#tickets.length; at++) if (!this.#tickets[at]?.finished) open++;
    return open;
  }

  /** Gaps between finished offsets count as finished: nothing ever comes there. */
  #above(offset: number): Run[] {
    const runs: { from: number; to: number }[] = [];
    let open: { from: number; to: number } | null = null;
    let last = offset - 1;
    for (let at = this.#head; at < this.#tickets.length; at++) {
      const ticket = this.#tickets[at];
      if (ticket === undefined) break;
      last = ticket.offset;
      if (!ticket.finished) open = null;
      else if (open !== null) open.to = ticket.offset + 1;
      else runs.push((open = { from: ticket.offset, to: ticket.offset + 1 }));
    }
    // What was not taken again yet is still finished: a crash now must not forget it.
    for (const { from, to } of this.#restored.slice(this.#passed)) {
      if (to <= last + 1) continue;
      const start = Math.max(from, last + 1);
      const before = runs.at(-1);
      if (before !== undefined && before.to >= start) before.to = to;
      else runs.push({ from: start, to });
    }
    return runs;
  }
}
