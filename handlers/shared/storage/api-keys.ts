/**
 * API keys: who may ask, as hashes.
 *
 * In: names, hashes, rates. Out: rows of `api_key`. A revoked key stays as a row: a door that once needed keys never opens by
 * itself. Never here: keys in clear.
 */
import { and, asc, eq, isNull, sql } from "drizzle-orm";
import { apiKey } from "../../../schema/tables.ts";
import type { Database } from "./database.ts";

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the key, 64 hex digits. */
  readonly hash: string;
  /** Requests a minute; null for any number. */
  readonly perMinute: number | null;
  readonly madeAt: Date;
  readonly revoked: boolean;
}

/** More keys than this are not read: a door is not a user table. */
export const MOST_KEYS = 10_000;

export function apiKeys(database: Database): Promise<readonly ApiKey[]> {
  return database.run("reading API keys", async (db) => {
    const rows = await db.select().from(apiKey).orderBy(asc(apiKey.made_at)).limit(MOST_KEYS);
    return rows.map(({ id, name, key_sha256, per_minute, made_at, revoked_at }) => {
      return {
        id,
        name,
        hash: key_sha256,
        perMinute: per_minute,
        madeAt: made_at,
        revoked: revoked_at !== null,
      };
    });
  });
}

export function addApiKey(
  database: Database,
  { id, name, hash, perMinute }: Pick<ApiKey, "id" | "name" | "hash" | "perMinute">,
): Promise<void> {
  return database.run("keeping an API key", async (db) => {
    await db.insert(apiKey).values({ id, name, key_sha256: hash, per_minute: perMinute });
  });
}

/** @returns whether there was such a key, not yet revoked. */
export function revokeApiKey(database: Database, id: string): Promise<boolean> {
  return database.run("revoking an API key", async (db) => {
    const rows = await db
      .update(apiKey)
      .set({ revoked_at: sql`now()` })
      .where(and(eq(apiKey.id, id), isNull(apiKey.revoked_at)))
      .returning({ id: apiKey.id });
    return rows.length > 0;
  });
}
