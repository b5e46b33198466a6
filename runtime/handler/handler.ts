/**
 * A handler: one function for one topic, with what it may write and how it is retried.
 *
 * In: a declaration. Out: a frozen definition that the engine runs. Never here: Kafka, Postgres, a server.
 */
import { durationMs, type Duration } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import type { Emitters, Failure, Outputs, Returned, RoundTrips } from "./emission.ts";
import { checkLimit, type CheckedLimit, type Limit, type Turn } from "./limit.ts";
import type { Message } from "./message.ts";
import { checkRetryRule, type RetryRules } from "./retry-rule.ts";
import type { AnyTopic } from "./topic.ts";

/** What a handler gets beside its message. */
export interface Context<O extends Outputs, Deps> {
  /** What was handed in from outside: a model, a repository, a clock. */
  readonly deps: Deps;
  /** Makes outputs. An output that is made and not returned is an error. */
  readonly out: Emitters<O>;
  /** Aborts at the deadline, when the partition is lost and when the process must end. */
  readonly signal: AbortSignal;
  /** Its turn under the handler's `limit`: what it has used, and that somebody was asked too often. */
  readonly turn: Turn;
  /** Logs with this handler's and message's names on each line. */
  readonly log: Log;
}

/**
 * `partition`: one at a time, as they lie. `key`: one at a time per key, keys beside each other; while a message waits for its
 * retry, later ones of its key pass it (`skip`) or wait behind it, in order, until it is done or dead (`hold`). `none`: as they come.
 */
export type Order =
  | { readonly by: "partition" }
  | { readonly by: "key"; readonly whileRetrying: "skip" | "hold" }
  | { readonly by: "none" };

/**
 * How often what a message makes is there. `at-least-once`: outputs are acknowledged, then rows, then the offset is committed;
 * a crash between two of them repeats the message under the same ids. `exactly-once`: outputs, dead letters and the offset
 * are one Kafka transaction, for readers of committed records; what goes through the schedule (retries, `after`) stays at
 * least once, under the same ids.
 */
export type Guarantee = "at-least-once" | "exactly-once";

/** How messages are gathered for one run. */
export interface BatchOptions {
  /** Messages of one run at most, 1 to 10,000. */
  readonly max: number;
  /** How long a run waits for more once there is one, at most "1m". */
  readonly within: Duration;
}

/** What a handler of batches gets beside its messages. */
export interface BatchContext<O extends Outputs, Deps> extends Context<O, Deps> {
  /** Makes the result of one message that failed: returned at its place, it follows its own retry rules alone. */
  readonly fail: (error: unknown) => Failure;
}

/**
 * What a handler of batches may return: nothing, when all went well and no output is made; or one result per message, in
 * their order: nothing, an output, several, or a failure.
 */
export type BatchReturned<O extends Outputs> = void | undefined | readonly (Returned<O> | Failure)[];

/** What `handle` is: for one message, or for several where `batch` is declared. */
export type Handle<T extends AnyTopic, O extends Outputs, Deps, B> = B extends BatchOptions
  ? (
      messages: readonly Message<T>[],
      context: BatchContext<O, Deps>,
    ) => BatchReturned<O> | Promise<BatchReturned<O>>
  : (message: Message<T>, context: Context<O, Deps>) => Returned<O> | Promise<Returned<O>>;

export interface HandlerOptions<
  T extends AnyTopic,
  O extends Outputs,
  Deps,
  B extends BatchOptions | undefined = undefined,
> {
  /** The handler's identity: consumer group, schedule rows, retry topic, metrics. Default: the file's name. */
  readonly name?: string;
  readonly on: T;
  readonly out?: O & {
    readonly [Name in keyof O]: RoundTrips<O[Name]> extends true
      ? O[Name]
      : "this topic's schema cannot be written from what was read";
  };
  /** Default: `{ by: "partition" }`. */
  readonly order?: Order;
  /**
   * Several messages of one partition in one run of `handle`, in order: for sinks that insert in bulk. What a run throws fails
   * all its messages; a message that failed before is run alone, so it takes no others with it. Not with order by key.
   */
  readonly batch?: B;
  /**
   * Runs at once in one process, 1 to 10,000. Default 64, and 4 for batches. A message whose run is over counts no more, though its
   * outputs may still wait for the broker (docs/decisions/0022).
   */
  readonly concurrency?: number;
  /** A run that takes longer is aborted and counts as a failure. Default "60s". */
  readonly timeout?: Duration;
  readonly retry?: RetryRules;
  /**
   * How often it may run and how many at a time, in all processes together. A message whose turn is not within a second waits in
   * the schedule, as one that is retried would; with order by partition it waits where it is. Not with batches.
   */
  readonly limit?: Limit<T, Deps>;
  /** A message older than this is not retried any more. Default "1d". */
  readonly maxAge?: Duration;
  /** Default "at-least-once". Outputs of "exactly-once" are visible about 100 ms later. The handler itself may still run twice. */
  readonly guarantee?: Guarantee;
  /** Where a new consumer group begins. Default "earliest". A known group never jumps. */
  readonly startAt?: "earliest" | "latest";
  readonly handle: Handle<T, O, Deps, B>;
}

/** A checked declaration, as the engine takes it. */
export interface Handler {
  /** Empty where the declaration has none: the loader then fills in the file's name. */
  readonly name: string;
  readonly on: AnyTopic;
  readonly out: Outputs;
  readonly order: Order;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly retry: RetryRules;
  readonly limit: CheckedLimit | null;
  readonly maxAgeMs: number;
  readonly startAt: "earliest" | "latest";
  readonly guarantee: Guarantee;
  /** Null where it takes one message a run. */
  readonly batch: Batch | null;
  /** Not called where `batch` is declared. */
  readonly handle: (message: Message, context: Context<Outputs, unknown>) => unknown;
}

export interface Batch {
  readonly max: number;
  readonly withinMs: number;
  readonly handle: (messages: readonly Message[], context: BatchContext<Outputs, unknown>) => unknown;
}

/** Handlers whose dependencies are typed: `const { handler } = app<{ model: Model }>()`. */
export function app<Deps>(): {
  /** Declares a handler. @throws CauceError `declaration_invalid` naming the option, what was expected, what came. */
  readonly handler: <
    T extends AnyTopic,
    // oxlint-disable-next-line typescript/no-generated-empty-object-type -- no outputs declared is just that: an empty record
    const O extends Outputs = Readonly<Record<never, AnyTopic>>,
    B extends BatchOptions | undefined = undefined,
  >(
    options: HandlerOptions<T, O, Deps, B>,
  ) => Handler;
} {
  return { handler: define };
}

/** Declares a handler that needs nothing from outside. */
export const handler = app<unknown>().handler;

const HANDLER_NAME = /^[a-zA-Z0-9._-]{1,100}$/;
const HIGHEST_CONCURRENCY = 10_000;
const LARGEST_BATCH = 10_000;
const LONGEST_WITHIN_MS = 60_000;

function define<T extends AnyTopic, O extends Outputs, Deps, B extends BatchOptions | undefined = undefined>(
  options: HandlerOptions<T, O, Deps, B>,
): Handler {
  const name = options.name ?? "";
  const called = name || `on ${options.on.name}`;
  const refuse = (option: string, expected: string, came: unknown) => {
    throw new CauceError(
      "declaration_invalid",
      `handler ${called}: ${option} must be ${expected}, not ${String(came)}`,
    );
  };
  if (name && !HANDLER_NAME.test(name)) refuse("name", "1 to 100 of a-z A-Z 0-9 . _ -", `"${name}"`);
  const { batch } = options;
  const concurrency = options.concurrency ?? (batch === undefined ? 64 : 4);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > HIGHEST_CONCURRENCY) {
    refuse("concurrency", `a whole number from 1 to ${HIGHEST_CONCURRENCY}`, options.concurrency);
  }
  const order: Order = options.order ?? { by: "partition" };
  if (!["partition", "key", "none"].includes(order.by)) {
    refuse("order.by", `"partition", "key" or "none"`, order.by);
  }
  if (order.by === "key" && !["skip", "hold"].includes(order.whileRetrying)) {
    refuse("order.whileRetrying", `"skip" or "hold"`, order.whileRetrying);
  }
  const withinMs = batch === undefined ? 0 : durationMs(batch.within);
  if (batch !== undefined) {
    if (!Number.isInteger(batch.max) || batch.max < 1 || batch.max > LARGEST_BATCH) {
      refuse("batch.max", `a whole number from 1 to ${LARGEST_BATCH}`, batch.max);
    }
    if (withinMs > LONGEST_WITHIN_MS) refuse("batch.within", `at most "1m"`, `"${batch.within}"`);
    if (order.by === "key") refuse("order.by", `"partition" or "none" for batches`, `"key"`);
  }
  const guarantee = options.guarantee ?? "at-least-once";
  if (!["at-least-once", "exactly-once"].includes(guarantee)) {
    refuse("guarantee", `"at-least-once" or "exactly-once"`, `"${guarantee}"`);
  }
  if (typeof options.handle !== "function") refuse("handle", "a function", typeof options.handle);
  const retry = options.retry ?? [];
  for (const [, rule] of retry) checkRetryRule(called, rule);
  // As `handle`: called with just what its own declaration says.
  const limit = (options.limit ?? null) as CheckedLimit | null;
  if (limit !== null) {
    checkLimit(called, limit);
    if (batch !== undefined) refuse("limit", "left out for batches", "given");
  }
  return Object.freeze({
    name,
    on: options.on,
    out: Object.freeze({ ...options.out }),
    order,
    batch:
      batch === undefined
        ? null
        : Object.freeze({
            max: batch.max,
            withinMs,
            handle: options.handle as unknown as Batch["handle"],
          }),
    concurrency,
    timeoutMs: durationMs(options.timeout ?? "60s"),
    retry,
    limit: limit === null ? null : Object.freeze({ ...limit }),
    maxAgeMs: durationMs(options.maxAge ?? "1d"),
    startAt: options.startAt ?? "earliest",
    guarantee,
    // The engine knows handlers of every type; each is called with just what its own declaration says.
    handle: options.handle as unknown as Handler["handle"],
  });
}
