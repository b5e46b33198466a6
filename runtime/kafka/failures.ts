/**
 * From librdkafka's error numbers to Cauce's errors.
 *
 * In: a number, what was tried, and for records whether the broker may have kept it. Out: a `CauceError` with the code
 * that its owner acts upon. Never here: throwing; callers decide.
 */
import { CauceError } from "../ground/errors.ts";
import { type Address, type Library, scratch, text } from "./symbols.ts";

/** The numbers that Cauce itself acts upon; all others only have a name. */
export const ERROR = {
  transport: -195,
  resolve: -193,
  messageTimedOut: -192,
  partitionEnd: -191,
  unknownPartition: -190,
  unknownTopic: -188,
  allBrokersDown: -187,
  invalidArgument: -186,
  timedOut: -185,
  queueFull: -184,
  assignPartitions: -175,
  revokePartitions: -174,
  wrongState: -172,
  noOffset: -168,
  purgedFromQueue: -152,
  purgedInFlight: -151,
  fatal: -150,
  maxPollExceeded: -147,
  assignmentLost: -142,
  autoOffsetReset: -140,
  none: 0,
  offsetOutOfRange: 1,
  requestTimedOut: 7,
  offsetMetadataTooLarge: 12,
  unknownTopicOrPartition: 3,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  topicRefused: 29,
  topicExists: 36,
  groupNotFound: 69,
} as const;

/** Did the broker keep a record whose delivery failed? As `rd_kafka_message_status`. */
export const PERSISTED = { no: 0, possibly: 1, yes: 2 } as const;

/** Name and meaning, such as `MSG_SIZE_TOO_LARGE (Broker: Message size too large)`. */
export function errorName(library: Library, err: number): string {
  const { native } = library;
  return `${text(native.rd_kafka_err2name(err))} (${text(native.rd_kafka_err2str(err))})`;
}

/** The error of one record that was not delivered. */
export function deliveryFailure(library: Library, err: number, persisted: number, topic: string): CauceError {
  const reason = errorName(library, err);
  if (err === ERROR.messageTooLarge || err === ERROR.recordListTooLarge) {
    return new CauceError("record_too_large", `a record for ${topic} is larger than is accepted: ${reason}`);
  }
  if (err === ERROR.fatal) {
    return new CauceError("producer_fatal", `the producer cannot go on: ${reason}`, { retryable: true });
  }
  if (persisted !== PERSISTED.no) {
    return new CauceError(
      "possibly_persisted",
      `a record for ${topic} may or may not have been written: ${reason}. Send the same record again, under the same id.`,
      { retryable: true },
    );
  }
  return new CauceError("broker", `a record for ${topic} was not written: ${reason}`, {
    retryable: isTransient(err),
  });
}

/** The error of a request that is not about a record. */
export function requestFailure(library: Library, err: number, what: string): CauceError {
  return new CauceError("broker", `${what}: ${errorName(library, err)}`, { retryable: isTransient(err) });
}

/** Takes an `rd_kafka_error_t` apart and frees it; undefined for NULL, which means success. */
export function takeError(library: Library, error: Address | null, what: string): CauceError | undefined {
  if (!error) return undefined;
  const { native } = library;
  const message = `${what}: ${text(native.rd_kafka_error_string(error))}`;
  const retryable =
    native.rd_kafka_error_is_retriable(error) === 1 || isTransient(native.rd_kafka_error_code(error));
  const fatal = native.rd_kafka_error_is_fatal(error) === 1;
  native.rd_kafka_error_destroy(error);
  return new CauceError(fatal ? "producer_fatal" : "broker", message, { retryable });
}

/** Throws an `rd_kafka_error_t` that belongs to someone else; NULL and NO_ERROR mean success. */
export function throwLentError(library: Library, error: Address | null, what: string): void {
  const code = error ? library.native.rd_kafka_error_code(error) : ERROR.none;
  if (code !== ERROR.none) throw requestFailure(library, code, what);
}

/** The reason that a producer gave up for good; undefined while it is well. */
export function fatalReason(library: Library, client: Address): string | undefined {
  const reason = scratch(512);
  const err = library.native.rd_kafka_fatal_error(client, reason.address, 512);
  return err === ERROR.none ? undefined : `${errorName(library, err)}: ${text(reason.address)}`;
}

/** Can the same request succeed later with nobody changing anything? */
export function isTransient(err: number): boolean {
  return TRANSIENT.has(err);
}

const TRANSIENT: ReadonlySet<number> = new Set([
  -195, // _TRANSPORT
  -193, // _RESOLVE
  -192, // _MSG_TIMED_OUT
  -187, // _ALL_BROKERS_DOWN
  -185, // _TIMED_OUT
  -184, // _QUEUE_FULL
  -183, // _ISR_INSUFF
  -180, // _WAIT_COORD
  -166, // _TIMED_OUT_QUEUE
  -164, // _WAIT_CACHE
  -153, // _RETRY
  -152, // _PURGE_QUEUE
  -151, // _PURGE_INFLIGHT
  -139, // _LOG_TRUNCATION
  -137, // _DESTROY_BROKER
  3, // UNKNOWN_TOPIC_OR_PART: metadata may lag behind a creation
  5, // LEADER_NOT_AVAILABLE
  6, // NOT_LEADER_FOR_PARTITION
  7, // REQUEST_TIMED_OUT
  8, // BROKER_NOT_AVAILABLE
  9, // REPLICA_NOT_AVAILABLE
  13, // NETWORK_EXCEPTION
  14, // COORDINATOR_LOAD_IN_PROGRESS
  15, // COORDINATOR_NOT_AVAILABLE
  16, // NOT_COORDINATOR
  19, // NOT_ENOUGH_REPLICAS
  20, // NOT_ENOUGH_REPLICAS_AFTER_APPEND
  27, // REBALANCE_IN_PROGRESS
  41, // NOT_CONTROLLER
  56, // KAFKA_STORAGE_ERROR
  72, // LISTENER_NOT_FOUND
  74, // FENCED_LEADER_EPOCH
  75, // UNKNOWN_LEADER_EPOCH
  88, // UNSTABLE_OFFSET_COMMIT
  89, // THROTTLING_QUOTA_EXCEEDED
]);
