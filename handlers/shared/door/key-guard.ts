/**
 * Who may use the routes under `/query`: everybody while no key was ever made, then only who presents one.
 *
 * In: requests, the keys in Postgres (read again every few seconds, so that a revoked one stops working everywhere). Out: a
 * refusal, or nothing. A database that is away changes nothing: what was read last holds. Each process counts a key's rate for
 * itself. Never here: keys in clear, in memory longer than a comparison takes.
 */
import { problem } from "cauce/ingress";
import type { Log } from "cauce";
import type { ApiKey } from "../storage/api-keys.ts";
import type { Repository } from "../storage/repository.ts";
import { idIn, matches } from "./api-key.ts";

export interface KeyGuard {
  /** Null for who may go on. */
  refusalOf(request: Request): Response | undefined;
  /** Was a key ever made? Then one is needed, also when all are revoked. */
  readonly required: boolean;
  close(): void;
}

export interface KeyGuardOptions {
  readonly repository: Pick<Repository, "apiKeys">;
  readonly clock: { monotonicMs(): number; after(delayMs: number, call: () => void): () => void };
  readonly log: Log;
  /** A key is needed even before the first one is made. */
  readonly always: boolean;
  /** How often keys are read again, in ms. Default 2000. */
  readonly rereadMs?: number;
}

/** What a key may use at once, after it was quiet: ten seconds' worth. */
const BURST_MINUTES = 1 / 6;

interface Bucket {
  tokens: number;
  atMs: number;
}

/** @throws CauceError of the repository when the keys cannot be read the first time. */
export async function openKeyGuard(options: KeyGuardOptions): Promise<KeyGuard> {
  const { repository, clock, log, always, rereadMs = 2_000 } = options;
  let keys = byId(await repository.apiKeys());
  const buckets = new Map<string, Bucket>();
  let cancel = clock.after(rereadMs, reread);
  let closed = false;

  function reread(): void {
    repository
      .apiKeys()
      .then(
        (read) => {
          keys = byId(read);
        },
        (thrown: unknown) => log.debug("keys could not be read again", { why: String(thrown) }),
      )
      .finally(() => {
        if (!closed) cancel = clock.after(rereadMs, reread);
      });
  }

  /** How long until the key may ask again, in ms; 0 for now, and then it has. */
  function take({ id, perMinute }: ApiKey): number {
    if (perMinute === null) return 0;
    const most = Math.max(1, perMinute * BURST_MINUTES);
    const nowMs = clock.monotonicMs();
    const bucket = buckets.get(id) ?? { tokens: most, atMs: nowMs };
    buckets.set(id, bucket);
    bucket.tokens = Math.min(most, bucket.tokens + ((nowMs - bucket.atMs) * perMinute) / 60_000);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return ((1 - bucket.tokens) * 60_000) / perMinute;
    bucket.tokens--;
    return 0;
  }

  return {
    refusalOf(request) {
      if ((keys.size === 0 && !always) || !guarded(request)) return undefined;
      const presented = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
      const key = presented === undefined ? undefined : keys.get(idIn(presented) ?? "");
      if (presented === undefined || key === undefined || !matches(presented, key.hash) || key.revoked)
        return unauthorized(presented !== undefined);
      const waitMs = take(key);
      return waitMs === 0 ? undefined : tooMany(key, waitMs);
    },
    get required() {
      return always || keys.size > 0;
    },
    close() {
      closed = true;
      cancel();
    },
  };
}

function byId(keys: readonly ApiKey[]): ReadonlyMap<string, ApiKey> {
  return new Map(keys.map((key) => [key.id, key]));
}

function guarded({ url }: Request): boolean {
  return /^\/query(?:\/|$)/i.test(new URL(url).pathname);
}

function unauthorized(presented: boolean): Response {
  return problem(401, {
    title: "A key is needed",
    detail: presented ? "this key is not known, or no longer" : "send it as authorization: Bearer KEY",
    headers: { "www-authenticate": `Bearer realm="cauce"${presented ? ', error="invalid_token"' : ""}` },
  });
}

function tooMany({ perMinute }: ApiKey, waitMs: number): Response {
  return problem(429, {
    title: "Too many requests",
    detail: `this key may ask ${perMinute} times a minute`,
    headers: { "retry-after": String(Math.max(1, Math.ceil(waitMs / 1_000))) },
  });
}
