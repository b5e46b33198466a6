/**
 * librdkafka's statistics in the few numbers that an operator looks at.
 *
 * In: the JSON of a `statistics` event (librdkafka's STATISTICS.md). Out: a small typed structure, made when it is asked
 * for: the JSON is 5 to 50 kB and comes every second. Never here: rates and differences; they are their reader's.
 */
import { CauceError, messageOf } from "../ground/errors.ts";

export interface ClientStatistics {
  /** What librdkafka calls the client. */
  readonly name: string;
  readonly kind: "producer" | "consumer";
  readonly uptimeMs: number;
  /** Records and bytes that wait in the producer or are in flight. */
  readonly queuedRecords: number;
  readonly queuedBytes: number;
  /** Records and bytes of the client's life. */
  readonly sentRecords: number;
  readonly sentBytes: number;
  readonly receivedRecords: number;
  readonly receivedBytes: number;
  readonly brokers: readonly BrokerStatistics[];
  readonly partitions: readonly PartitionStatistics[];
  /** A consumer's view of its group; undefined elsewhere. */
  readonly group:
    { readonly state: string; readonly rebalances: number; readonly partitions: number } | undefined;
}

export interface BrokerStatistics {
  readonly name: string;
  /** `UP` where requests flow. */
  readonly state: string;
  /** From sending a request to its answer, in ms; 0 where none came in the interval. */
  readonly roundTripP50Ms: number;
  readonly roundTripP99Ms: number;
  /** Requests without an answer in time, in the client's life. */
  readonly timeouts: number;
}

export interface PartitionStatistics {
  readonly topic: string;
  readonly partition: number;
  /** Records between what the group has committed and the end; -1 where unknown. */
  readonly lag: number;
  /** Records fetched and not taken yet. */
  readonly fetchedRecords: number;
  /** Records that wait for the broker. */
  readonly queuedRecords: number;
}

/** Reads the JSON of a `statistics` event. @throws CauceError `broker` where it is no such JSON */
export function readStatistics(json: string): ClientStatistics {
  let root: Fields;
  try {
    root = fieldsOf(JSON.parse(json));
  } catch (error) {
    throw new CauceError("broker", `librdkafka's statistics cannot be read: ${messageOf(error)}`);
  }
  const group = root["cgrp"] === undefined ? undefined : fieldsOf(root["cgrp"]);
  return {
    name: textAt(root, "name"),
    kind: textAt(root, "type") === "consumer" ? "consumer" : "producer",
    uptimeMs: numberAt(root, "age") / 1_000,
    queuedRecords: numberAt(root, "msg_cnt"),
    queuedBytes: numberAt(root, "msg_size"),
    sentRecords: numberAt(root, "txmsgs"),
    sentBytes: numberAt(root, "txmsg_bytes"),
    receivedRecords: numberAt(root, "rxmsgs"),
    receivedBytes: numberAt(root, "rxmsg_bytes"),
    brokers: valuesAt(root, "brokers").filter(isServer).map(readBroker),
    partitions: valuesAt(root, "topics").flatMap((topic) =>
      valuesAt(topic, "partitions")
        .filter((partition) => numberAt(partition, "partition") >= 0)
        .map((partition) => readPartition(textAt(topic, "topic"), partition)),
    ),
    group: group && {
      state: textAt(group, "state"),
      rebalances: numberAt(group, "rebalance_cnt"),
      partitions: numberAt(group, "assignment_size"),
    },
  };
}

/** librdkafka lists brokers of its own making too: the coordinator's (`GroupCoordinator`), and addresses to begin with. */
function isServer(broker: Fields): boolean {
  return numberAt(broker, "nodeid") >= 0;
}

function readBroker(broker: Fields): BrokerStatistics {
  const roundTrip = fieldsOf(broker["rtt"]);
  return {
    name: textAt(broker, "nodename"),
    state: textAt(broker, "state"),
    roundTripP50Ms: numberAt(roundTrip, "p50") / 1_000,
    roundTripP99Ms: numberAt(roundTrip, "p99") / 1_000,
    timeouts: numberAt(broker, "req_timeouts"),
  };
}

function readPartition(topic: string, partition: Fields): PartitionStatistics {
  return {
    topic,
    partition: numberAt(partition, "partition"),
    lag: numberAt(partition, "consumer_lag"),
    fetchedRecords: numberAt(partition, "fetchq_cnt"),
    queuedRecords: numberAt(partition, "msgq_cnt") + numberAt(partition, "xmit_msgq_cnt"),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function valuesAt(fields: Fields, name: string): Fields[] {
  return Object.values(fieldsOf(fields[name])).map(fieldsOf);
}

function numberAt(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === "number" ? value : 0;
}

function textAt(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}
