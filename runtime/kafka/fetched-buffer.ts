/**
 * Memory that was fetched, laid out as layout.ts says, and how it is given back.
 */

export interface FetchedBuffer {
  readonly count: number;
  /** At least as long as what was fetched. */
  readonly buffer: ArrayBuffer;
  /** Takes the memory of the buffer back, which is detached: no view into it shows anything any more. */
  recycle(buffer: ArrayBuffer): void;
}
