/**
 * Text that Postgres's `text` can hold: no U+0000, no lone surrogates.
 *
 * `shownText` is for people and loses nothing that matters; `keptText` can be turned back; `keyText` fits an index.
 * Never here: bytes of messages, they go into `bytea` untouched.
 */
import { createHash } from "node:crypto";

/** A copy for people, cut to `maxLength` characters. */
export function shownText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll(UNTELLABLE, escapeUnit);
}

/** Text that `originalText` turns back into exactly what it was. */
export function keptText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll(UNTELLABLE, escapeUnit);
}

/** The opposite of `keptText`. Text that nobody escaped comes back as it is. */
export function originalText(kept: string): string {
  return kept.replaceAll(/\\(?:\\|u([0-9a-f]{4}))/g, (_, unit: string | undefined) =>
    unit === undefined ? "\\" : String.fromCharCode(Number.parseInt(unit, 16)),
  );
}

/** Kept text for a unique key: one longer than an index row takes ends in its SHA-256 instead. */
export function keyText(text: string): string {
  const kept = keptText(text);
  if (Buffer.byteLength(kept) <= LONGEST_KEY_BYTES) return kept;
  const digest = createHash("sha256").update(kept).digest("hex");
  return `${shownText(text, 64)}\\sha256:${digest}`;
}

/** A B-tree row holds 2,704 bytes, of app, handler and this. */
const LONGEST_KEY_BYTES = 1_000;

/** U+0000 and surrogates without their other half. */
const UNTELLABLE = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
