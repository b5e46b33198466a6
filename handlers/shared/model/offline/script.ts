/**
 * What the offline model is told to do instead of answering: by script, by request header or by rate.
 *
 * In: directives as text ("rate_limit:2s"), scripts, rates and a seed. Out: one Reply for (question, attempt), always the
 * same for the same input. Never here: HTTP; time passing.
 */
import { CauceError } from "cauce";

/** `timeout` answers nothing until the caller goes away, `slow` answers late, `garbage` is no usable completion. */
export const REPLY_KINDS = [
  "ok",
  "rate_limit",
  "timeout",
  "slow",
  "server_error",
  "overloaded",
  "garbage",
  "bad_answer",
  "refused",
  "context_too_long",
  "authentication",
] as const;
export type ReplyKind = (typeof REPLY_KINDS)[number];
export type FaultKind = Exclude<ReplyKind, "ok">;

export interface Reply {
  readonly kind: ReplyKind;
  /** For `rate_limit` and `overloaded` the Retry-After, for `slow` the delay; in milliseconds. */
  readonly delayMs?: number;
}

export interface ScriptEntry {
  /** Part of the title, in any case. */
  readonly match: string;
  /** The first call to a matching question gets the first reply, and so on; after the last one all is "ok". */
  readonly replies: readonly string[];
}

/** Shares of calls, each 0 to 1, together at most 1. */
export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

export interface Plan {
  readonly script: readonly { readonly match: string; readonly replies: readonly Reply[] }[];
  readonly rates: readonly (readonly [FaultKind, number])[];
  readonly seed: string;
}

/** @throws CauceError `config_invalid` naming the directive or rate that cannot be used and what is expected. */
export function planOf(options: {
  readonly script?: readonly ScriptEntry[];
  readonly faults?: FaultRates;
  readonly seed?: string | number;
}): Plan {
  const rates = Object.entries(options.faults ?? {}) as [FaultKind, number][];
  for (const [kind, rate] of rates) {
    if (!isKind(kind) || (kind as ReplyKind) === "ok" || !(rate >= 0 && rate <= 1)) {
      throw refuse(
        `fault rate ${kind}: ${rate}; name one of ${REPLY_KINDS.slice(1).join(", ")} and a share from 0 to 1`,
      );
    }
  }
  if (rates.reduce((sum, [, rate]) => sum + rate, 0) > 1)
    throw refuse("the fault rates add up to more than 1");
  return { script: parseScript(options.script ?? []), rates, seed: String(options.seed ?? 1) };
}

/** @throws CauceError `config_invalid`, as `planOf`. The value may come from a file or a request. */
export function parseScript(value: unknown): Plan["script"] {
  if (!Array.isArray(value))
    throw refuse('a script is a list of { "match": "…", "replies": ["rate_limit:2s", "ok"] }');
  return (value as readonly unknown[]).map((entry, index) => {
    const { match, replies } = (
      typeof entry === "object" && entry !== null ? entry : {}
    ) as Partial<ScriptEntry>;
    if (typeof match !== "string" || match === "" || !Array.isArray(replies)) {
      throw refuse(`script entry ${index + 1} should be { "match": "part of a title", "replies": ["…"] }`);
    }
    return { match: match.toLowerCase(), replies: replies.map((reply) => parseReply(String(reply))) };
  });
}

/** "rate_limit", "rate_limit:2s", "slow:1500ms". @throws CauceError `config_invalid`. */
export function parseReply(text: string): Reply {
  const [kind = "", delay] = text.trim().split(":", 2);
  if (!isKind(kind))
    throw refuse(`reply "${text}"; use one of ${REPLY_KINDS.join(", ")}, some with a delay as in "slow:2s"`);
  if (delay === undefined) return { kind };
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(delay);
  if (!match) throw refuse(`reply "${text}"; write the delay as 500ms, 2s or 1m`);
  return { kind, delayMs: Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]) };
}

/**
 * The reply to the `attempt`-th call (from 1) about a question. `told`, from the request's header, wins over the script,
 * the script over the rates.
 */
export function replyTo(
  plan: Plan,
  call: { readonly title: string; readonly attempt: number; readonly told?: string },
): Reply {
  if (call.told !== undefined) return nth(call.told.split(",").map(parseReply), call.attempt);
  const title = call.title.toLowerCase();
  const entry = plan.script.find(({ match }) => title.includes(match));
  if (entry !== undefined) return nth(entry.replies, call.attempt);
  let draw = share(`${plan.seed}\u001f${call.title}\u001f${call.attempt}`);
  for (const [kind, rate] of plan.rates) {
    if (draw < rate) return { kind };
    draw -= rate;
  }
  return { kind: "ok" };
}

/** A number in [0, 1) that depends on nothing but the text: FNV-1a with murmur's final mixing. */
export function share(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296;
}

function nth(replies: readonly Reply[], attempt: number): Reply {
  return replies[attempt - 1] ?? { kind: "ok" };
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000 } as const;

function isKind(text: string): text is ReplyKind {
  return (REPLY_KINDS as readonly string[]).includes(text);
}

function refuse(what: string): CauceError {
  return new CauceError("config_invalid", `offline model: ${what}`);
}
