/**
 * What a failed call to a provider means, from its status, headers and body.
 *
 * In: whatever the SDK threw. Out: one ModelError. Never here: keys, headers or prompts in messages; the SDK's error as
 * `cause` (it carries headers).
 */
import { APIConnectionTimeoutError, APIError, APIUserAbortError } from "openai";
import {
  BadOutput,
  ContextTooLong,
  ModelError,
  ModelTimeout,
  ModelUnavailable,
  Overloaded,
  RateLimited,
  Refused,
  Unauthorized,
} from "./model.ts";

export interface ClassifyOptions {
  /** Texts that must not appear in the message. */
  readonly secrets: readonly (string | undefined)[];
  /** Wall time, to turn a date into a wait. */
  readonly nowMs: number;
}

export function classify(thrown: unknown, options: ClassifyOptions): ModelError {
  const known = ownError(thrown);
  if (known !== undefined) return known;
  if (thrown instanceof APIConnectionTimeoutError || thrown instanceof APIUserAbortError) {
    return new ModelTimeout("the model gave no whole answer before the deadline");
  }
  if (thrown instanceof SyntaxError) return new BadOutput("the model's reply is no JSON");
  if (!(thrown instanceof APIError)) return new BadOutput("the model's reply could not be understood");
  if (thrown.status === undefined) return new ModelUnavailable("the model cannot be reached");
  return fromStatus(thrown as APIError<number>, thrown.status, options);
}

/**
 * How long the provider asks to wait, in whole milliseconds; undefined when it does not say or not understandably.
 * `retry-after-ms`, then `retry-after` (seconds or a date), then the longest of `x-ratelimit-reset-*` whose budget is
 * spent ("1s", "6m0s", "20ms", a date). Clamped to 0 … 24 h.
 */
export function retryAfterMs(headers: Headers | undefined, nowMs: number): number | undefined {
  if (headers === undefined) return undefined;
  const exact = decimal(headers.get("retry-after-ms"));
  if (exact !== undefined) return clamp(exact);
  const text = headers.get("retry-after")?.trim();
  const seconds = decimal(text);
  if (seconds !== undefined) return clamp(seconds * 1_000);
  // A date has a letter in it; Date.parse would take "-1" for a year.
  const date = text && /[a-z]{3}/i.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(date)) return clamp(date - nowMs);
  const resets = [...headers].flatMap(([name, value]) => {
    const kind = /^x-ratelimit-reset-(.+)$/.exec(name)?.[1];
    if (kind === undefined) return [];
    const left = decimal(headers.get(`x-ratelimit-remaining-${kind}`));
    const reset = resetMs(value, nowMs);
    return reset === undefined || (left !== undefined && left > 0) ? [] : [reset];
  });
  return resets.length === 0 ? undefined : clamp(Math.max(...resets));
}

function fromStatus(error: APIError<number>, status: number, options: ClassifyOptions): ModelError {
  const said = `the provider answered ${status}${detail(error, options)}`;
  const marks = `${error.code ?? ""} ${error.type ?? ""} ${error.message}`.toLowerCase();
  const wait = retryAfterMs(error.headers, options.nowMs);
  if (status === 429) {
    return /insufficient_quota|billing/.test(marks) ? new Unauthorized(said) : new RateLimited(said, wait);
  }
  if (status === 401 || status === 403) return new Unauthorized(said);
  if (status === 408) return new ModelTimeout(said);
  if (status === 413 || /context_length|context length|too many tokens|maximum context/.test(marks)) {
    return new ContextTooLong(said);
  }
  if (status === 404) return new ModelUnavailable(`${said}: is the base URL right, and the model's name?`);
  if (status === 409 || status === 425) return new ModelUnavailable(said);
  if (status < 500) return new Refused(said);
  if ([502, 503, 504, 529].includes(status) || /overloaded/.test(marks)) return new Overloaded(said, wait);
  return new ModelUnavailable(said);
}

/** Our own fetch throws ModelErrors; the SDK wraps what fetch throws as the cause of a connection error. */
function ownError(thrown: unknown): ModelError | undefined {
  if (thrown instanceof ModelError) return thrown;
  if (thrown instanceof Error && thrown.cause instanceof ModelError) return thrown.cause;
  return undefined;
}

/** The provider's own words, shortened, on one line, without secrets. */
function detail(error: APIError, { secrets }: ClassifyOptions): string {
  const body: unknown = error.error;
  const words = typeof body === "object" && body !== null && "message" in body ? body.message : undefined;
  if (typeof words !== "string") return "";
  let text = words;
  for (const secret of secrets) if (secret) text = text.replaceAll(secret, "[hidden]");
  text = text
    .replace(/\b(?:sk|pk|key|Bearer)[-_ ][\w*.-]{6,}/g, "[hidden]")
    .replace(/\s+/g, " ")
    .trim();
  return `: ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`.toWellFormed();
}

function decimal(text: string | null | undefined): number | undefined {
  return text && /^\d+(?:\.\d+)?(?:e\d+)?$/i.test(text.trim()) ? Number(text) : undefined;
}

/** A length of time, or a date as ISO 8601 or HTTP has it. */
function resetMs(text: string, nowMs: number): number | undefined {
  const date = /^\d{4}-\d\d-\d\dT|^[a-z]{3}, /i.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(date)) return date - nowMs;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|h|m|s))+$/.test(text)) return decimalSeconds(text);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  let total = 0;
  for (const [, amount, name] of text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)) {
    total += Number(amount) * unit[name as keyof typeof unit];
  }
  return total;
}

function decimalSeconds(text: string | null): number | undefined {
  const seconds = decimal(text);
  return seconds === undefined ? undefined : seconds * 1_000;
}

/** A day: a longer wait is a mistake of the provider's clock or ours. */
const LONGEST_WAIT_MS = 86_400_000;

function clamp(ms: number): number {
  return Math.min(LONGEST_WAIT_MS, Math.max(0, Math.ceil(ms)));
}
