/**
 * One librdkafka client: a configuration checked property by property, then the native handle.
 *
 * In: properties as librdkafka names them. Out: the address of an `rd_kafka_t` that its owner destroys.
 * Never here: what the client is used for; values of secret properties in an error.
 */
import { CauceError } from "../ground/errors.ts";
import { type Address, cString, type Library, scratch, text } from "./symbols.ts";

/** librdkafka properties by name, such as `{ "bootstrap.servers": "127.0.0.1:9092" }`. */
export type ClientConfig = Readonly<Record<string, string | number | boolean>>;

export type ClientKind = "producer" | "consumer";

/** Events that are delivered on queues instead of callbacks; a callback would come from a native thread. */
export const EVENT = {
  deliveries: 0x1,
  log: 0x4,
  error: 0x8,
  rebalance: 0x10,
  commit: 0x20,
  statistics: 0x40,
  createTopics: 100,
  deleteTopics: 101,
  createPartitions: 102,
  deleteRecords: 105,
  tokenRefresh: 0x100,
  listGroups: 0x2000,
  describeGroups: 0x4000,
  groupOffsets: 0x8000,
  describeTopics: 0x100000,
  listOffsets: 0x400000,
} as const;

const QUEUED_EVENTS =
  EVENT.deliveries | EVENT.log | EVENT.error | EVENT.rebalance | EVENT.commit | EVENT.statistics;

/**
 * For every client. When no broker can be reached, librdkafka by default starts over from its first addresses and gives up the
 * brokers that it knew; its cache of coordinators goes on pointing at one of those, and a group's offsets are never answered
 * again (seen with 2.16: docs/decisions/0013). Without it, known brokers are tried for ever.
 */
const CLIENT_DEFAULTS: ClientConfig = { "metadata.recovery.strategy": "none" };

/**
 * Makes a client. It owns threads from here on: destroy it with `destroyClient` after all its queues and topics.
 * @throws CauceError `config_invalid` naming the property that librdkafka refuses and why.
 */
export function newClient(library: Library, kind: ClientKind, config: ClientConfig): Address {
  const { native } = library;
  const conf = native.rd_kafka_conf_new() ?? 0;
  const reason = scratch(REASON_BYTES);
  try {
    for (const [name, value] of Object.entries({ ...CLIENT_DEFAULTS, ...config })) {
      const result = native.rd_kafka_conf_set(
        conf,
        cString(name),
        cString(String(value)),
        reason.address,
        REASON_BYTES,
      );
      if (result !== CONF_OK) throw refusedProperty(name, String(value), text(reason.address));
    }
    native.rd_kafka_conf_set_events(conf, QUEUED_EVENTS);
    const unsecured = refreshesUnsecuredTokens(config);
    if (unsecured) native.rd_kafka_conf_enable_sasl_queue(conf, 1);
    const client = native.rd_kafka_new(KIND[kind], conf, reason.address, REASON_BYTES);
    if (!client)
      throw new CauceError(
        "config_invalid",
        `librdkafka refuses these settings: ${withoutSecrets(text(reason.address), config)}`,
      );
    if (unsecured) {
      const refused = native.rd_kafka_sasl_background_callbacks_enable(client);
      if (refused) native.rd_kafka_error_destroy(refused); // then no token comes, and the connection's error says so
    }
    return client;
  } catch (error) {
    native.rd_kafka_conf_destroy(conf);
    throw error;
  }
}

/**
 * Ends a client and its threads. Blocks for some milliseconds: a consumer is closed and a producer flushed before.
 * Every queue, topic object and event of the client must have been destroyed.
 */
export function destroyClient(library: Library, client: Address): void {
  library.native.rd_kafka_destroy_flags(client, DESTROY_WITHOUT_CONSUMER_CLOSE);
}

/** `text` with the value of every secret property of `config` taken out. */
export function withoutSecrets(message: string, config: ClientConfig): string {
  let clean = message;
  for (const [name, value] of Object.entries(config)) {
    if (isSecret(name) && String(value) !== "") clean = clean.replaceAll(String(value), "(hidden)");
  }
  return clean;
}

/** Does a property of this name hold something that must never be shown? */
export function isSecret(name: string): boolean {
  return /password|secret|\.pem$|jaas|token|oauthbearer\.config|username/.test(name);
}

/**
 * librdkafka makes unsecured tokens itself (for trying things), in a callback that polling for events never runs:
 * its own background thread does. With OIDC it arranges that alone.
 */
function refreshesUnsecuredTokens(config: ClientConfig): boolean {
  return String(config["enable.sasl.oauthbearer.unsecure.jwt"]) === "true";
}

function refusedProperty(name: string, value: string, reason: string): CauceError {
  const shown = isSecret(name) ? "(hidden)" : JSON.stringify(value);
  const why = isSecret(name) ? reason.replaceAll(value, "(hidden)") : reason;
  return new CauceError("config_invalid", `librdkafka refuses ${name} = ${shown}: ${why}`);
}

const REASON_BYTES = 512;
const CONF_OK = 0;
const KIND = { producer: 0, consumer: 1 } as const;
/** RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE: the close that blocks; ours went by queue before. */
const DESTROY_WITHOUT_CONSUMER_CLOSE = 0x8;
