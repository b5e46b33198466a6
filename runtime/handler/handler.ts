/**
 * A handler: one function for one topic, with what it may write and how it is retried.
 *
 * In: a declaration. Out: a frozen definition that the engine runs. Never here: Kafka, Postgres, a server.
 */
import { durationMs, type Duration } from "../ground/duration.ts";
import { CauceError } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import type { Emitters, Outputs, Returned, RoundTrips } from "./emission.ts";
import { checkRetryRule, type RetryRules } from "./retry-rule.ts";
import type { AnyTopic, OutputOf } from "./topic.ts";

/** A message as its handler sees it. */
export interface Message<T extends AnyTopic = AnyTopic> {
  /** Stable across repeats: the same message always carries the same id. Effects keyed by it happen once. */
  readonly id: string;
  readonly value: OutputOf<T>;
  /** The key in UTF-8, or null. */
  readonly key: string | null;
  readonly topic: string;
  /** 1 for the first try; grows with each failure that burns. */
  readonly attempt: number;
  /** How often it was put off without burning an attempt. */
  readonly deferrals: number;
  /** How often it was published again by the schedule. */
  readonly delivery: number;
  /** When this message was made. Its retries keep it; outputs are messages of their own. */
  readonly bornAt: Date;
}

/** What a handler gets beside its message. */
export interface Context<O extends Outputs, Deps> {
  /** What was handed in from outside: a model, a repository, a clock. */
  readonly deps: Deps;
  /** Makes outputs. An output that is made and not returned is an error. */
  readonly out: Emitters<O>;
  /** Aborts at the deadline, when the partition is lost and when the process must end. */
  readonly signal: AbortSignal;
  /** Logs with this handler's and message's names on each line. */
  readonly log: Log;
}

/**
 * `partition`: one at a time, as they lie. `key`: one at a time per key, keys beside each other; a message that waits for
 * its retry lets later ones of its key pass (`skip`). `none`: as they come.
 */
export type Order =
  | { readonly by: "partition" }
  | { readonly by: "key"; readonly whileRetrying: "skip" }
  | { readonly by: "none" };

export interface HandlerOptions<T extends AnyTopic, O extends Outputs, Deps> {
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
  /** Handlers in flight in one process, 1 to 10,000. Default 64. */
  readonly concurrency?: number;
  /** A run that takes longer is aborted and counts as a failure. Default "60s". */
  readonly timeout?: Duration;
  readonly retry?: RetryRules;
  /** A message older than this is not retried any more. Default "1d". */
  readonly maxAge?: Duration;
  /** Where a new consumer group begins. Default "earliest". A known group never jumps. */
  readonly startAt?: "earliest" | "latest";
  readonly handle: (message: Message<T>, context: Context<O, Deps>) => Returned<O> | Promise<Returned<O>>;
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
  readonly maxAgeMs: number;
  readonly startAt: "earliest" | "latest";
  readonly handle: (message: Message, context: Context<Outputs, unknown>) => unknown;
}

/** Handlers whose dependencies are typed: `const { handler } = app<{ model: Model }>()`. */
export function app<Deps>(): {
  /** Declares a handler. @throws CauceError `declaration_invalid` naming the option, what was expected, what came. */
  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- no outputs declared is just that: an empty record
  readonly handler: <T extends AnyTopic, const O extends Outputs = Readonly<Record<never, AnyTopic>>>(
    options: HandlerOptions<T, O, Deps>,
  ) => Handler;
} {
  return { handler: define };
}

/** Declares a handler that needs nothing from outside. */
export const handler = app<unknown>().handler;

const HANDLER_NAME = /^[a-zA-Z0-9._-]{1,100}$/;
const HIGHEST_CONCURRENCY = 10_000;

function define<T extends AnyTopic, O extends Outputs, Deps>(options: HandlerOptions<T, O, Deps>): Handler {
  const name = options.name ?? "";
  const called = name || `on ${options.on.name}`;
  const refuse = (option: string, expected: string, came: unknown) => {
    throw new CauceError(
      "declaration_invalid",
      `handler ${called}: ${option} must be ${expected}, not ${String(came)}`,
    );
  };
  if (name && !HANDLER_NAME.test(name)) refuse("name", "1 to 100 of a-z A-Z 0-9 . _ -", `"${name}"`);
  const concurrency = options.concurrency ?? 64;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > HIGHEST_CONCURRENCY) {
    refuse("concurrency", `a whole number from 1 to ${HIGHEST_CONCURRENCY}`, options.concurrency);
  }
  const order: Order = options.order ?? { by: "partition" };
  if (!["partition", "key", "none"].includes(order.by)) {
    refuse("order.by", `"partition", "key" or "none"`, order.by);
  }
  if (order.by === "key" && order.whileRetrying !== "skip") {
    refuse("order.whileRetrying", `"skip"`, String(order.whileRetrying));
  }
  if (typeof options.handle !== "function") refuse("handle", "a function", typeof options.handle);
  const retry = options.retry ?? [];
  for (const [, rule] of retry) checkRetryRule(called, rule);
  return Object.freeze({
    name,
    on: options.on,
    out: Object.freeze({ ...options.out }),
    order,
    concurrency,
    timeoutMs: durationMs(options.timeout ?? "60s"),
    retry,
    maxAgeMs: durationMs(options.maxAge ?? "1d"),
    startAt: options.startAt ?? "earliest",
    // The engine knows handlers of every type; each is called with just what its own declaration says.
    handle: options.handle as unknown as Handler["handle"],
  });
}
