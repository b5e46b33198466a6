/**
 * librdkafka's mock cluster: brokers inside this process that speak the real protocol over loopback TCP.
 *
 * In: topics to make, faults to inject. Out: an address that any Kafka client may use.
 * Never here: durability. All is in memory, at most about 5 MiB a partition (older data is dropped in silence), and
 * several requests are not served at all (CreateTopics, DeleteTopics, DescribeGroups, SASL).
 */
import type { TopicPartition } from "../bus/bus.ts";
import { CauceError } from "../ground/errors.ts";
import { destroyClient, newClient } from "./client.ts";
import { errorName } from "./failures.ts";
import { type Address, cString, type Library, type MockExtra, scratch, text } from "./symbols.ts";

export interface MockClusterOptions {
  readonly library: Library;
  /** Brokers, 1 to 9. Default 1. */
  readonly brokers?: number;
}

/** How one request is answered. */
export interface MockAnswer {
  /** A number of the Kafka protocol; 0 or none: no error. */
  readonly err?: number;
  /** How late the answer is. */
  readonly delayMs?: number;
}

/**
 * How consumers of a mock cluster should be set. It wakes a waiting fetch only when its wait runs out; and its classic
 * groups hold every rebalance for the session timeout less one second, its KIP-848 groups for a heartbeat.
 */
export const MOCK_CLIENTS = {
  groupProtocol: "consumer",
  consumerConfig: { "fetch.wait.max.ms": 10 },
} as const;

/** Requests by their number in the Kafka protocol, for error injection. */
export const REQUEST = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  offsetCommit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
  consumerGroupHeartbeat: 68,
} as const;

export class MockCluster {
  /** Where clients connect, such as `127.0.0.1:40213`. */
  readonly bootstrap: string;
  readonly #library: Library;
  readonly #brokers: number;
  #client: Address;
  #cluster: Address;

  /** Starts the brokers; they listen on 127.0.0.1, on ports of the system's choice, when this returns. */
  static start(options: MockClusterOptions): MockCluster {
    return new MockCluster(options);
  }

  private constructor({ library, brokers = 1 }: MockClusterOptions) {
    if (!Number.isInteger(brokers) || brokers < 1 || brokers > 9) {
      throw new CauceError("config_invalid", `a mock cluster has 1 to 9 brokers, not ${brokers}`);
    }
    this.#library = library;
    this.#brokers = brokers;
    // The owner of the cluster is a client that connects to nothing and whose logs stay on a queue that nobody reads.
    this.#client = newClient(library, "producer", { "client.id": "cauce-mock", "log.queue": true });
    library.native.rd_kafka_set_log_queue(this.#client, null);
    this.#cluster = library.mock().rd_kafka_mock_cluster_new(this.#client, brokers) ?? 0;
    if (this.#cluster === 0) {
      destroyClient(library, this.#client);
      throw new CauceError(
        "embedded_failed",
        "librdkafka could not start its mock cluster: no loopback port to listen on?",
      );
    }
    library.mock().rd_kafka_mock_group_initial_rebalance_delay_ms(this.#cluster, 0);
    // Without a controller no admin request is ever answered.
    library.mockExtra().rd_kafka_mock_set_controller_id?.(this.#cluster, 1);
    // KIP-848 members learn of a change at their next heartbeat; 3 s by default.
    library.mockExtra().rd_kafka_mock_set_group_consumer_heartbeat_interval_ms?.(this.#cluster, HEARTBEAT_MS);
    library.mockExtra().rd_kafka_mock_set_group_consumer_session_timeout_ms?.(this.#cluster, SESSION_MS);
    this.bootstrap = text(library.mock().rd_kafka_mock_cluster_bootstraps(this.#cluster));
  }

  /** Makes a topic. @throws CauceError `broker` where librdkafka refuses, for instance because it exists. */
  createTopic(name: string, partitions: number): void {
    const replicas = Math.min(3, this.#brokers);
    this.#check(
      "create a topic",
      this.#mock.rd_kafka_mock_topic_create(this.#open(), cString(name), partitions, replicas),
    );
  }

  /** The next requests of this kind fail, one error each, in this order; 0 lets one pass. */
  pushErrors(request: keyof typeof REQUEST, errors: readonly number[]): void {
    const codes = scratch(errors.length * 4);
    errors.forEach((code, at) => codes.view.setInt32(at * 4, code, true));
    this.#mock.rd_kafka_mock_push_request_errors_array(
      this.#open(),
      REQUEST[request],
      errors.length,
      codes.address,
    );
  }

  /**
   * The next requests of this kind to one broker are answered so, one answer each, in this order, before those of `pushErrors`:
   * with an error (0 or none: as it should be), or late.
   * @throws CauceError `broker` for a broker that there is not
   */
  pushAnswers(request: keyof typeof REQUEST, answers: readonly MockAnswer[], broker = 1): void {
    const push = this.#extra("rd_kafka_mock_broker_push_request_error_rtts", "delay single requests");
    for (const { err = 0, delayMs = 0 } of answers) {
      const cluster = this.#open();
      this.#check("push an answer", push(cluster, broker, REQUEST[request], 1, err, delayMs));
    }
  }

  /**
   * The next requests of this kind that name the partition fail for it alone, one error each; what they say of others is
   * answered as it should be. Errors of `pushErrors` and `pushAnswers` come first.
   * @throws CauceError `broker` for a partition that there is not
   */
  pushPartitionErrors(
    request: keyof typeof REQUEST,
    { topic, partition }: TopicPartition,
    errors: readonly number[],
  ): void {
    const push = this.#extra("rd_kafka_mock_partition_push_request_errors", "refuse single partitions");
    for (const err of errors) {
      const cluster = this.#open();
      this.#check(
        "push a partition's error",
        push(cluster, cString(topic), partition, REQUEST[request], 1, err),
      );
    }
  }

  /** Forgets what `pushErrors` said of this kind of request. */
  clearErrors(request: keyof typeof REQUEST): void {
    this.#mock.rd_kafka_mock_clear_request_errors(this.#open(), REQUEST[request]);
  }

  /** Cuts all connections to a broker and refuses new ones. Brokers count from 1. */
  brokerDown(broker = 1): void {
    this.#check("take a broker down", this.#mock.rd_kafka_mock_broker_set_down(this.#open(), broker));
  }

  brokerUp(broker = 1): void {
    this.#check("bring a broker up", this.#mock.rd_kafka_mock_broker_set_up(this.#open(), broker));
  }

  /** Every answer of this broker comes `delayMs` late. */
  delayBroker(delayMs: number, broker = 1): void {
    this.#check("delay a broker", this.#mock.rd_kafka_mock_broker_set_rtt(this.#open(), broker, delayMs));
  }

  /** Drops the records of a partition below `beforeOffset`, as retention does. */
  deleteRecords(topic: string, partition: number, beforeOffset: number): void {
    const call = this.#extra("rd_kafka_mock_partition_delete_records", "delete records");
    this.#check("delete records", call(this.#open(), cString(topic), partition, beforeOffset));
  }

  /** Moves the coordinator of a consumer group to a broker. */
  moveGroup(group: string, broker: number): void {
    const err = this.#mock.rd_kafka_mock_coordinator_set(
      this.#open(),
      cString("group"),
      cString(group),
      broker,
    );
    this.#check("move a group", err);
  }

  /** Ends the brokers; what they held is gone. Idempotent. */
  close(): void {
    if (this.#cluster === 0) return;
    this.#mock.rd_kafka_mock_cluster_destroy(this.#cluster);
    destroyClient(this.#library, this.#client);
    this.#cluster = 0;
  }

  get #mock() {
    return this.#library.mock();
  }

  /** A function that only newer libraries have. @throws CauceError `library_unusable` where this one has it not */
  #extra<Name extends keyof MockExtra>(name: Name, what: string): NonNullable<MockExtra[Name]> {
    const call = this.#library.mockExtra()[name];
    if (call !== undefined) return call;
    throw new CauceError("library_unusable", `the mock cluster of ${this.#library.version} cannot ${what}`);
  }

  #open(): Address {
    if (this.#cluster === 0) throw new CauceError("closed", "the mock cluster was closed");
    return this.#cluster;
  }

  #check(what: string, err: number): void {
    if (err !== 0)
      throw new CauceError("broker", `the mock cluster could not ${what}: ${errorName(this.#library, err)}`);
  }
}

const HEARTBEAT_MS = 100;
/** How long the partitions of a killed member stay idle. */
const SESSION_MS = 6_000;
