/**
 * The two calls that the load generator makes.
 *
 * In: a question or an id. Out: what the door said, as data; "again" where waiting is right. Never here: waiting, counting.
 */
import type { DatasetQuestion } from "../questions/dataset.ts";

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface DoorOptions {
  /** Such as "http://127.0.0.1:8000". */
  readonly baseUrl: string;
  readonly fetch: Fetch;
  /** Deadline of one call. */
  readonly timeoutMs: number;
}

export type Asked =
  | { readonly kind: "queued"; readonly id: string }
  | { readonly kind: "hit"; readonly id: string }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "again"; readonly afterMs: number; readonly why: string };

export type Found =
  /** `waitingUntil` while it waits for a retry: another text is another wait. */
  | { readonly kind: "open"; readonly state: string; readonly waitingUntil?: string }
  | {
      readonly kind: "ended";
      readonly state: "done" | "failed" | "cancelled";
      readonly storedMs?: number;
      readonly reason?: string;
    }
  | { readonly kind: "again"; readonly why: string };

export async function ask(door: DoorOptions, question: DatasetQuestion): Promise<Asked> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(question),
  };
  const reply = await call(door, "/query", init);
  if ("problem" in reply) return { kind: "again", afterMs: DEFAULT_WAIT_MS, why: reply.problem };
  const { status, body } = reply;
  const id = body["id"];
  if (status === 200 && body["hit"] === true && typeof id === "string") return { kind: "hit", id };
  if (status === 202 && body["queued"] === true && typeof id === "string") return { kind: "queued", id };
  const detail = body["detail"] ?? body["title"];
  const why = `${status}${typeof detail === "string" ? `: ${detail.slice(0, 120)}` : ""}`;
  if (status === 429 || status >= 500) return { kind: "again", afterMs: reply.retryAfterMs, why };
  return { kind: "refused", why };
}

export async function find(door: DoorOptions, id: string): Promise<Found> {
  const reply = await call(door, `/query/${encodeURIComponent(id)}`, { method: "GET" });
  if ("problem" in reply) return { kind: "again", why: reply.problem };
  const { status, body } = reply;
  const state = body["state"];
  if (status !== 200 || typeof state !== "string") return { kind: "again", why: `GET answered ${status}` };
  if (state !== "done" && state !== "failed" && state !== "cancelled") {
    const waitingUntil = body["waiting_until"];
    return { kind: "open", state, ...(typeof waitingUntil === "string" ? { waitingUntil } : {}) };
  }
  const storedMs = typeof body["created_at"] === "string" ? Date.parse(body["created_at"]) : NaN;
  return {
    kind: "ended",
    state,
    ...(Number.isFinite(storedMs) ? { storedMs } : {}),
    ...(typeof body["reason"] === "string" ? { reason: body["reason"] } : {}),
  };
}

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number;
}

async function call(
  door: DoorOptions,
  path: string,
  init: RequestInit,
): Promise<Reply | { readonly problem: string }> {
  try {
    const signal = AbortSignal.timeout(door.timeoutMs);
    const response = await door.fetch(`${door.baseUrl}${path}`, { ...init, signal, redirect: "manual" });
    const seconds = Number(response.headers.get("retry-after") ?? NaN);
    const retryAfterMs = seconds >= 0 ? Math.min(seconds * 1_000, LONGEST_WAIT_MS) : DEFAULT_WAIT_MS;
    return { status: response.status, body: await readBody(response), retryAfterMs };
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.name : "no connection" };
  }
}

async function readBody(response: Response): Promise<Reply["body"]> {
  const text = await response.text();
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Reply["body"]) : {};
  } catch {
    return {};
  }
}

/** When nobody says how long to wait. */
const DEFAULT_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
