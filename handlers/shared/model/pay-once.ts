/**
 * A finished call of a model is paid once: it is written down before anything of it is sent on, and whoever meets the same
 * question, round and attempt again finds it.
 *
 * In: what the call is for, where calls are written down, how to ask. Out: what the call gave, now or earlier, or the
 * failure that it ended with. Never here: SQL; what is asked.
 * What nobody can close is the window from the request to the row: a process that dies in it has perhaps been charged, and
 * the call is made again. The row counts that (`calls`).
 */
import { CauceError, pause, RetryAfter, systemClock, type Clock } from "cauce";
import { ERROR_CLASSES, ModelError, RateLimited, Unauthorized, type Usage } from "./model.ts";

export interface Call {
  /** The question's id. */
  readonly id: string;
  readonly round: number;
  /** From 1. */
  readonly attempt: number;
  readonly purpose: "answer" | "judge";
  /** The model that is asked for. */
  readonly model: string;
  readonly prompt_version: string;
}

/** What a call gave, as it is written down. */
export interface Given {
  readonly answer?: string;
  readonly judgement?: Readonly<Record<string, unknown>>;
  /** The name under which the provider answered. */
  readonly model: string;
  readonly usage: Usage;
}

/** A failure that counts as an attempt: the same call would be another attempt. */
export interface GoneWrong {
  readonly error_type: string;
  readonly error: string;
  readonly usage?: Usage;
}

export type Finished = Given | GoneWrong;

/** `mine`: nobody asks and nobody has; ask now. `busy`: another process asks, or died while it did, for so long at most. */
export type Begun =
  | { readonly kind: "mine"; readonly token: string }
  | { readonly kind: "finished"; readonly finished: Finished }
  | { readonly kind: "busy"; readonly remainingMs: number };

/** Where calls are written down. All @throw CauceError `unavailable` while that place is away. */
export interface Calls {
  begin(call: Call): Promise<Begun>;
  /** Writes the end of a call down. @returns what is written: somebody else's, where that was first. */
  finish(call: Call, token: string, finished: Finished): Promise<Finished>;
  /** The call is over without an end. */
  giveBack(call: Call, token: string, spent: Spent): Promise<void>;
}

/** What a call has cost that brought nothing. `unasked`: the provider did not take it, so it does not count. */
export type Spent = "unasked" | { readonly usage: Usage | undefined };

export interface PayOnceOptions<T> {
  readonly calls: Calls;
  readonly call: Call;
  /** Aborts when the message is given up here. */
  readonly signal: AbortSignal;
  readonly ask: () => Promise<T>;
  readonly write: (result: T) => Given;
  readonly read: (given: Given) => T;
  /** Is this failure the end of the attempt, so that the same attempt shall find it again? */
  readonly ends: (failure: ModelError) => boolean;
  readonly clock?: Clock;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;
/** Whoever finds another one asking looks again so soon at the earliest, and at the latest. */
const BUSY_MS = { least: 100, most: 30_000 } as const;

/**
 * The result of a call that is made at most once as far as anybody can know.
 * @throws ModelError as `ask`, now or as it was written down; CauceError `retry_after` while another process asks;
 * `unavailable` while calls cannot be written down and nothing was asked; the signal's reason.
 */
export async function payOnce<T>(options: PayOnceOptions<T>): Promise<T> {
  const { calls, call, ask, write, read, ends } = options;
  const begun = await calls.begin(call);
  if (begun.kind === "busy") {
    const waitMs = Math.min(BUSY_MS.most, Math.max(BUSY_MS.least, Math.ceil(begun.remainingMs)));
    throw new RetryAfter(`${waitMs}ms`, {
      reason: "this very call is under way elsewhere, or its process died",
    });
  }
  if (begun.kind === "finished") return resultIn(begun.finished, read);
  let finished: Finished;
  try {
    finished = write(await ask());
  } catch (thrown) {
    if (!(thrown instanceof ModelError) || !ends(thrown)) {
      await giveBack(options, begun.token, thrown);
      throw thrown;
    }
    const { error_type, message, usage } = thrown;
    finished = { error_type, error: message, ...(usage === undefined ? {} : { usage }) };
  }
  return resultIn(await written(options, begun.token, finished), read);
}

/** The money is spent: a place that is away is waited for as long as this message is ours. */
async function written<T>(
  { calls, call, signal, clock = systemClock }: PayOnceOptions<T>,
  token: string,
  finished: Finished,
): Promise<Finished> {
  for (let tries = 0; ; tries++) {
    try {
      return await calls.finish(call, token, finished);
    } catch (thrown) {
      if (!(thrown instanceof CauceError && thrown.code === "unavailable")) throw thrown;
      await pause(clock, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries, 10)), signal);
      signal.throwIfAborted();
    }
  }
}

async function giveBack<T>(
  { calls, call }: PayOnceOptions<T>,
  token: string,
  thrown: unknown,
): Promise<void> {
  const unasked = thrown instanceof RateLimited || thrown instanceof Unauthorized;
  const spent = unasked ? "unasked" : { usage: thrown instanceof ModelError ? thrown.usage : undefined };
  // Without it the next one waits until the row's time is over, which is all that is lost.
  await calls.giveBack(call, token, spent).catch(() => undefined);
}

function resultIn<T>(finished: Finished, read: (given: Given) => T): T {
  if (!("error_type" in finished)) return read(finished);
  const { error_type, error } = finished;
  const kind = ERROR_CLASSES.find((each) => new each("").error_type === error_type);
  throw new (kind ?? ERROR_CLASSES[0])(error);
}
