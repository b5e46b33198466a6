/**
 * A topic: its name, the schema of its values, how a key is made, how many partitions it has.
 *
 * In: a declaration. Out: a frozen description that types handlers and clients. Never here: a broker.
 * Typed by Standard Schema, so valibot, zod, arktype and others all serve.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { CauceError } from "../ground/errors.ts";
import { json, type Codec } from "./codec.ts";

export type Key = string | Uint8Array | null;

export interface TopicOptions<S extends StandardSchemaV1> {
  /** What a value must be. On the wire is the schema's *input*; handlers receive its *output*. */
  readonly schema: S;
  /**
   * Which version of the schema this is, from 1; messages carry it. A process that knows an older one lets a newer message
   * wait instead of reading it. Raise it when older processes must not read what newer ones write. Default 1.
   */
  readonly version?: number;
  /** The key of a value; messages of one key lie on one partition. Default: no key. */
  readonly key?: (value: StandardSchemaV1.InferInput<S>) => Key;
  /** Partitions when the topic is created. Default 12. An existing topic is never altered. */
  readonly partitions?: number;
  /** `create` (default) makes a missing topic, `verify` insists that it exists, `none` looks at nothing. */
  readonly provision?: "create" | "verify" | "none";
  /** Bytes ↔ value. Default: JSON in UTF-8. */
  readonly codec?: Codec;
  /** Broker settings at creation, such as `{ "retention.ms": "604800000" }`. */
  readonly config?: Readonly<Record<string, string>>;
}

export interface Topic<S extends StandardSchemaV1 = StandardSchemaV1> {
  readonly name: string;
  readonly schema: S;
  readonly version: number;
  readonly key: (value: StandardSchemaV1.InferInput<S>) => Key;
  readonly partitions: number;
  readonly provision: "create" | "verify" | "none";
  readonly codec: Codec;
  readonly config: Readonly<Record<string, string>>;
}

/** A topic of any schema. `never` for the key's argument, since a function that takes less cannot be called. */
export type AnyTopic = Omit<Topic, "key"> & { readonly key: (value: never) => Key };

/** What a producer hands over. */
export type InputOf<T extends AnyTopic> = StandardSchemaV1.InferInput<T["schema"]>;
/** What a handler receives. */
export type OutputOf<T extends AnyTopic> = StandardSchemaV1.InferOutput<T["schema"]>;

/** Kafka's own rule for topic names. */
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/;
const MOST_PARTITIONS = 10_000;
const HIGHEST_VERSION = 1_000_000;

/**
 * Declares a topic.
 * @throws CauceError `declaration_invalid` for a name that Kafka refuses, an internal name (`__…`) or bad partitions.
 */
export function topic<S extends StandardSchemaV1>(name: string, options: TopicOptions<S>): Topic<S> {
  if (!TOPIC_NAME.test(name) || name === "." || name === ".." || name.startsWith("__")) {
    throw new CauceError(
      "declaration_invalid",
      `"${name}" is no topic name: 1 to 249 of a-z A-Z 0-9 . _ - are allowed, and names that begin with __ are Kafka's own`,
    );
  }
  const partitions = options.partitions ?? 12;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MOST_PARTITIONS) {
    throw new CauceError(
      "declaration_invalid",
      `topic ${name}: partitions must be a whole number from 1 to ${MOST_PARTITIONS}, not ${String(options.partitions)}`,
    );
  }
  const version = options.version ?? 1;
  if (!Number.isInteger(version) || version < 1 || version > HIGHEST_VERSION) {
    throw new CauceError(
      "declaration_invalid",
      `topic ${name}: version must be a whole number from 1 to ${HIGHEST_VERSION}, not ${String(options.version)}`,
    );
  }
  return Object.freeze({
    name,
    schema: options.schema,
    version,
    key: options.key ?? (() => null),
    partitions,
    provision: options.provision ?? "create",
    codec: options.codec ?? json,
    config: Object.freeze({ ...options.config }),
  });
}
