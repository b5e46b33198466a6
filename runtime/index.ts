/**
 * The entry `cauce`: what a handler file needs, and nothing that ties it to a host.
 *
 * Never here: a server, a database, `bun:` or `node:` modules. A test walks the imports and fails on one.
 */
export {
  app,
  handler,
  type BatchContext,
  type BatchOptions,
  type Context,
  type Handler,
  type HandlerOptions,
  type Guarantee,
  type Order,
} from "./handler/handler.ts";
export {
  topic,
  type InputOf,
  type Key,
  type OutputOf,
  type Topic,
  type TopicOptions,
} from "./handler/topic.ts";
export { json, type Codec } from "./handler/codec.ts";
export type { Emission, EmitOptions, Emitters, Failure } from "./handler/emission.ts";
export type { Amount, Limit, Turn } from "./handler/limit.ts";
export type { Message } from "./handler/message.ts";
export { type ErrorClass, type RetryRule, type RetryRules } from "./handler/retry-rule.ts";
export { GiveUp, RetryAfter, Unavailable } from "./handler/steer.ts";
export { CauceError, type ErrorCode } from "./ground/errors.ts";
export { type Duration } from "./ground/duration.ts";
export type { Log, LogFields } from "./ground/log.ts";
export { pause, systemClock, type Clock, type Random } from "./ground/clock.ts";
