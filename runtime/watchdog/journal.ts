/**
 * What runs at this moment, in a file that outlives the process.
 *
 * In: the beginning and the end of each run, the turns of the event loop. Out: after a death, what was running.
 * The file is mapped into memory and shared with the lookout's thread: a run costs 0.13 µs
 * (bench/watchdog-cost.ts) and no system call, and the kernel keeps the page when the process is killed. A machine that loses
 * power loses it, and nobody is blamed. Never here: who is guilty.
 */
import { closeSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import type { Coordinates } from "./watch.ts";

export type Blamed = Coordinates & { readonly handler: string };

/** What a journal says after its process is gone. */
export interface Testimony {
  readonly pid: number;
  /** The lookout saw the event loop stand still and ended the process. */
  readonly stalled: boolean;
  /** Somebody watched the process and survived it, or should have. */
  readonly supervised: boolean;
  /** Everything that had begun and not ended. */
  readonly running: readonly Blamed[];
  /** The one whose code was on the stack, where that is known: until its first `await`. */
  readonly executing: Blamed | null;
}

const MAGIC = 0x43_41_55_43;
/** Cells of the header, 4 bytes each. */
const CELL = { magic: 0, beats: 1, executing: 2, stalled: 3, namesBytes: 4, pid: 5, supervised: 6 } as const;
const HEADER_BYTES = 64;
/** Handlers and topics are written once, and a slot has the number of theirs. */
const NAMES_BYTES = 64 * 1024;
const SLOTS_AT = HEADER_BYTES + NAMES_BYTES;
const SLOT_BYTES = 32;

interface Cells {
  readonly header: Int32Array;
  readonly names: Uint8Array;
  /** Per slot: [name + 1 or 0 when free, partition] as 4-byte cells at 0 and 1 of 8. */
  readonly slots: Int32Array;
  /** Per slot: offset and timestamp as 8-byte cells at 1 and 2 of 4. */
  readonly places: Float64Array;
}

export class Journal {
  readonly #cells: Cells;
  readonly #free: number[];
  /** Handler → topic → number. */
  readonly #names = new Map<string, Map<string, number>>();
  #named = 0;

  /** @param slots How many may run at once; what runs beyond it is not written down. */
  constructor(options: { readonly path: string; readonly slots: number; readonly supervised: boolean }) {
    const file = openSync(options.path, "wx+", 0o600);
    ftruncateSync(file, SLOTS_AT + options.slots * SLOT_BYTES);
    closeSync(file);
    this.#cells = mapJournal(options.path);
    this.#free = Array.from({ length: options.slots }, (_, at) => options.slots - 1 - at);
    const { header } = this.#cells;
    header[CELL.executing] = -1;
    header[CELL.pid] = process.pid;
    header[CELL.supervised] = options.supervised ? 1 : 0;
    header[CELL.magic] = MAGIC;
  }

  /** The event loop has turned. */
  beat(): void {
    const { header } = this.#cells;
    header[CELL.beats] = ((header[CELL.beats] ?? 0) + 1) | 0;
  }

  /** @returns the slot to hand to `waits` and `end`. */
  begin(handler: string, { topic, partition, offset, timestampMs }: Coordinates): number {
    const slot = this.#free.pop();
    if (slot === undefined) return -1;
    const { header, slots, places } = this.#cells;
    slots[slot * 8 + 1] = partition;
    places[slot * 4 + 1] = offset;
    places[slot * 4 + 2] = timestampMs;
    slots[slot * 8] = this.#nameOf(handler, topic) + 1;
    header[CELL.executing] = slot;
    return slot;
  }

  /** Its first stretch of code is over; it waits for something. */
  waits(): void {
    this.#cells.header[CELL.executing] = -1;
  }

  end(slot: number): void {
    if (slot < 0) return;
    this.#cells.slots[slot * 8] = 0;
    this.#free.push(slot);
  }

  #nameOf(handler: string, topic: string): number {
    const topics = this.#names.get(handler) ?? new Map<string, number>();
    const known = topics.get(topic);
    if (known !== undefined) return known;
    const { header, names } = this.#cells;
    const bytes = new TextEncoder().encode(`${handler} ${topic}\n`);
    const used = header[CELL.namesBytes] ?? 0;
    if (used + bytes.byteLength > NAMES_BYTES) return -1;
    names.set(bytes, used);
    header[CELL.namesBytes] = used + bytes.byteLength;
    this.#names.set(handler, topics.set(topic, this.#named));
    return this.#named++;
  }
}

/** The lookout's view: does the loop turn? */
export function overlook(path: string): { readonly beats: () => number; readonly stalled: () => void } {
  const { header } = mapJournal(path);
  return {
    beats: () => Atomics.load(header, CELL.beats),
    stalled: () => void Atomics.store(header, CELL.stalled, 1),
  };
}

/** What a dead process left; null when the file is no journal, or one that was never begun. */
export function readJournal(path: string): Testimony | null {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch {
    return null;
  }
  if (bytes.byteLength < SLOTS_AT) return null;
  const cells = cellsOf(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  const { header, slots } = cells;
  if (header[CELL.magic] !== MAGIC) return null;
  const names = new TextDecoder().decode(cells.names.subarray(0, header[CELL.namesBytes])).split("\n");
  const running: Blamed[] = [];
  let executing: Blamed | null = null;
  for (let slot = 0; slot * 8 < slots.length; slot++) {
    const found = blamedAt(cells, slot, names);
    if (found === null) continue;
    running.push(found);
    if (slot === header[CELL.executing]) executing = found;
  }
  return {
    pid: header[CELL.pid] ?? 0,
    stalled: header[CELL.stalled] === 1,
    supervised: header[CELL.supervised] === 1,
    running,
    executing,
  };
}

function blamedAt({ slots, places }: Cells, slot: number, names: readonly string[]): Blamed | null {
  const [handler, topic] = names[(slots[slot * 8] ?? 0) - 1]?.split(" ") ?? [];
  if (handler === undefined || topic === undefined) return null;
  return {
    handler,
    topic,
    partition: slots[slot * 8 + 1] ?? 0,
    offset: places[slot * 4 + 1] ?? 0,
    timestampMs: places[slot * 4 + 2] ?? 0,
  };
}

function mapJournal(path: string): Cells {
  const { buffer, byteOffset, byteLength } = Bun.mmap(path);
  return cellsOf(buffer, byteOffset, byteLength);
}

function cellsOf(buffer: ArrayBuffer, start: number, bytes: number): Cells {
  const slotBytes = Math.floor((bytes - SLOTS_AT) / SLOT_BYTES) * SLOT_BYTES;
  return {
    header: new Int32Array(buffer, start, HEADER_BYTES / 4),
    names: new Uint8Array(buffer, start + HEADER_BYTES, NAMES_BYTES),
    slots: new Int32Array(buffer, start + SLOTS_AT, slotBytes / 4),
    places: new Float64Array(buffer, start + SLOTS_AT, slotBytes / 8),
  };
}
