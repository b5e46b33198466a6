/**
 * A set of the few texts that are in use at a moment: each is added, held for as long as a task takes, and taken out.
 *
 * In: texts. Out: whether one was there already. A slot by its hash takes a text and gives it back for a fraction of what a `Set` costs,
 * which grows and is built anew all the time; texts of one slot share a `Set`, so that the worst keys cost what they would there.
 */
export class Taken {
  readonly #slots: (string | null)[] = Array.from({ length: SLOTS }, () => null);
  /** Those whose slot another one had. */
  readonly #others = new Set<string>();

  /** @returns false where it was there already */
  add(text: string): boolean {
    if (this.#others.size > 0 && this.#others.has(text)) return false;
    const slot = slotOf(text);
    const there = this.#slots[slot];
    if (there === null) this.#slots[slot] = text;
    else if (there === text) return false;
    else this.#others.add(text);
    return true;
  }

  delete(text: string): void {
    const slot = slotOf(text);
    if (this.#slots[slot] === text) this.#slots[slot] = null;
    else this.#others.delete(text);
  }
}

/** A power of two, several times what is usually in use. */
const SLOTS = 8_192;
/** Of a long text only its beginning and its end are looked at. */
const LOOKED_AT = 32;

function slotOf(text: string): number {
  const { length } = text;
  let hash = length;
  const head = Math.min(length, LOOKED_AT);
  for (let at = 0; at < head; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  for (let at = Math.max(head, length - LOOKED_AT); at < length; at++)
    hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}
