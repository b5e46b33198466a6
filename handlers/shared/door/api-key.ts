/**
 * What an API key looks like, and how it is kept: as a SHA-256 hash alone.
 *
 * In: chance, or text that somebody presented. Out: a key with its hash, or what the text says. A key holds 256 random bits, so
 * a fast hash is enough: nobody can try them all. Never here: where keys are kept.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

export interface MadeKey {
  /** Public: names the key in lists and finds its row. */
  readonly id: string;
  /** What its owner presents. Told once, kept nowhere. */
  readonly key: string;
  readonly hash: string;
}

const ID_BYTES = 6;
const SECRET_BYTES = 32;
const FORM = /^cauce_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

export function makeKey(): MadeKey {
  const id = randomBytes(ID_BYTES).toString("hex");
  const key = `cauce_${id}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
  return { id, key, hash: hashOf(key) };
}

/** The id that a presented key claims to have; null for what is no key. */
export function idIn(presented: string): string | null {
  return FORM.exec(presented)?.[1] ?? null;
}

/** Takes the same time whatever the difference. */
export function matches(presented: string, hash: string): boolean {
  const came = Buffer.from(hashOf(presented), "hex");
  const kept = Buffer.from(hash, "hex");
  return came.length === kept.length && timingSafeEqual(came, kept);
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
