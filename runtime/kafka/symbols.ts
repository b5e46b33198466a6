/**
 * Every native symbol that Cauce calls, with its signature and its memory rule. Nothing else imports `dlopen`.
 *
 * In: the path of a librdkafka shared object (or of anything that exports it). Out: checked, callable functions.
 * Never here: where the library comes from (library/), what the calls mean together (producer, consumer, admin).
 *
 * Memory rules, by letter, at each symbol (docs/kafka-memory.md tells them at length):
 *   [B] borrows its pointer arguments for the length of the call; we free them, whenever we like.
 *   [T] takes ownership of an argument when it succeeds; on failure it stays ours.
 *   [N] returns something new that we must free, by the function named.
 *   [L] lends: what it returns belongs to its parent and dies with it; copy before the parent is destroyed.
 *   [S] static memory, never freed.
 * librdkafka never retains a pointer into JavaScript memory: what it must keep, it copies (produce runs with
 * MSG_F_COPY), and where it would free a pointer of ours, that pointer comes from `malloc`.
 */
import { CString, dlopen, type FFIFunction, type Pointer, ptr, read } from "bun:ffi";
import { CauceError, messageOf } from "../ground/errors.ts";

/** A native address as bun:ffi gives it. 0 is NULL. */
export type Address = number;

/** The oldest librdkafka that is accepted: 2.12 made KIP-848 generally available. */
export const OLDEST_VERSION = 0x02_0c_00_00;

/** Byte sizes and field offsets of the structs that are read directly; asserted when the library is opened. */
export const MESSAGE = {
  size: 72, err: 0, topic: 8, partition: 16, payload: 24, payloadLength: 32, key: 40, keyLength: 48, offset: 56, opaque: 64,
} as const; // prettier-ignore
export const PARTITION = {
  size: 64, topic: 0, partition: 8, offset: 16, metadata: 24, metadataSize: 32, err: 48,
} as const; // prettier-ignore
export const PARTITION_LIST = { count: 0, elements: 8 } as const;
/** `rd_kafka_vu_t`: a tag and a 64-byte union. */
export const VALUE_UNION = { size: 72, tag: 0, value: 8 } as const;

const RDKAFKA = {
  rd_kafka_version: { args: [], returns: "i32" },
  rd_kafka_version_str: { args: [], returns: "ptr" }, // [S]
  rd_kafka_err2name: { args: ["i32"], returns: "ptr" }, // [S]
  rd_kafka_err2str: { args: ["i32"], returns: "ptr" }, // [S]

  // Errors as objects.
  rd_kafka_error_code: { args: ["ptr"], returns: "i32" }, // [B]
  rd_kafka_error_string: { args: ["ptr"], returns: "ptr" }, // [L] of the error
  rd_kafka_error_is_fatal: { args: ["ptr"], returns: "i32" }, // [B]
  rd_kafka_error_is_retriable: { args: ["ptr"], returns: "i32" }, // [B]
  rd_kafka_error_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_fatal_error: { args: ["ptr", "ptr", "u64_fast"], returns: "i32" }, // [B] writes a text into our buffer

  // Configuration and client.
  rd_kafka_conf_new: { args: [], returns: "ptr" }, // [N] rd_kafka_conf_destroy, unless rd_kafka_new took it
  rd_kafka_conf_set: { args: ["ptr", "ptr", "ptr", "ptr", "u64_fast"], returns: "i32" }, // [B] copies name and value
  rd_kafka_conf_set_events: { args: ["ptr", "i32"], returns: "void" },
  rd_kafka_conf_enable_sasl_queue: { args: ["ptr", "i32"], returns: "void" },
  rd_kafka_sasl_background_callbacks_enable: { args: ["ptr"], returns: "ptr" }, // [N] rd_kafka_error_destroy when not NULL
  rd_kafka_conf_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_new: { args: ["i32", "ptr", "ptr", "u64_fast"], returns: "ptr" }, // [T] the conf, [N] rd_kafka_destroy_flags
  rd_kafka_destroy_flags: { args: ["ptr", "i32"], returns: "void" }, // every queue, topic and event of it comes first
  rd_kafka_name: { args: ["ptr"], returns: "ptr" }, // [L] of the client
  rd_kafka_poll_set_consumer: { args: ["ptr"], returns: "i32" },
  rd_kafka_set_log_queue: { args: ["ptr", "ptr"], returns: "i32" }, // keeps its own reference to the queue
  rd_kafka_outq_len: { args: ["ptr"], returns: "i32" },
  rd_kafka_controllerid: { args: ["ptr", "i32"], returns: "i32" },

  // Queues. A queue object is a counted reference: each one that we get, we destroy.
  rd_kafka_queue_new: { args: ["ptr"], returns: "ptr" }, // [N] rd_kafka_queue_destroy
  rd_kafka_queue_get_main: { args: ["ptr"], returns: "ptr" }, // [N] rd_kafka_queue_destroy
  rd_kafka_queue_get_consumer: { args: ["ptr"], returns: "ptr" }, // [N] rd_kafka_queue_destroy
  rd_kafka_queue_get_partition: { args: ["ptr", "ptr", "i32"], returns: "ptr" }, // [N] rd_kafka_queue_destroy
  rd_kafka_queue_forward: { args: ["ptr", "ptr"], returns: "void" }, // keeps its own references
  rd_kafka_queue_io_event_enable: { args: ["ptr", "i32", "ptr", "u64_fast"], returns: "void" }, // [B] copies the payload
  rd_kafka_queue_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_queue_poll: { args: ["ptr", "i32"], returns: "ptr" }, // [N] rd_kafka_event_destroy
  rd_kafka_consume_batch_queue: { args: ["ptr", "i32", "ptr", "u64_fast"], returns: "i64_fast" }, // [N] each message: rd_kafka_message_destroy

  // Events. All that an event returns is lent by it.
  rd_kafka_event_type: { args: ["ptr"], returns: "i32" },
  rd_kafka_event_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_event_error: { args: ["ptr"], returns: "i32" },
  rd_kafka_event_error_string: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_event_error_is_fatal: { args: ["ptr"], returns: "i32" },
  rd_kafka_event_log: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" }, // [L] both texts
  rd_kafka_event_stats: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_event_opaque: { args: ["ptr"], returns: "ptr" }, // a number of ours, never an address
  rd_kafka_event_message_count: { args: ["ptr"], returns: "u64_fast" },
  rd_kafka_event_message_array: { args: ["ptr", "ptr", "u64_fast"], returns: "u64_fast" }, // [L] the messages
  rd_kafka_event_topic_partition_list: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_event_topic_partition: { args: ["ptr"], returns: "ptr" }, // [N] rd_kafka_topic_partition_destroy
  rd_kafka_topic_partition_destroy: { args: ["ptr"], returns: "void" },

  // Messages.
  rd_kafka_message_destroy: { args: ["ptr"], returns: "void" }, // never for messages lent by an event
  rd_kafka_message_timestamp: { args: ["ptr", "ptr"], returns: "i64_fast" },
  rd_kafka_message_status: { args: ["ptr"], returns: "i32" },
  rd_kafka_message_headers: { args: ["ptr", "ptr"], returns: "i32" }, // [L] of the message
  rd_kafka_message_errstr: { args: ["ptr"], returns: "ptr" }, // [L] of the message
  rd_kafka_header_cnt: { args: ["ptr"], returns: "u64_fast" },
  rd_kafka_header_get_all: { args: ["ptr", "u64_fast", "ptr", "ptr", "ptr"], returns: "i32" }, // [L] of the message

  // Producing. The record is copied (MSG_F_COPY) before the call returns.
  rd_kafka_topic_new: { args: ["ptr", "ptr", "ptr"], returns: "ptr" }, // [N] rd_kafka_topic_destroy
  rd_kafka_topic_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_topic_name: { args: ["ptr"], returns: "ptr" }, // [L] of the topic
  rd_kafka_produceva: { args: ["ptr", "ptr", "u64_fast"], returns: "ptr" }, // [B], [N] rd_kafka_error_destroy when not NULL
  rd_kafka_headers_new: { args: ["u64_fast"], returns: "ptr" }, // [N] rd_kafka_headers_destroy, unless produce took it
  rd_kafka_header_add: { args: ["ptr", "ptr", "i64_fast", "ptr", "i64_fast"], returns: "i32" }, // [B] copies
  rd_kafka_headers_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_purge: { args: ["ptr", "i32"], returns: "i32" },

  // Topic partition lists. Strings are copied in; metadata is freed by the list and must come from malloc.
  rd_kafka_topic_partition_list_new: { args: ["i32"], returns: "ptr" }, // [N] rd_kafka_topic_partition_list_destroy
  rd_kafka_topic_partition_list_add: { args: ["ptr", "ptr", "i32"], returns: "ptr" }, // [L]; dies when the list grows
  rd_kafka_topic_partition_list_destroy: { args: ["ptr"], returns: "void" },

  // Consuming. Lists are borrowed.
  rd_kafka_subscribe: { args: ["ptr", "ptr"], returns: "i32" }, // [B]
  rd_kafka_memberid: { args: ["ptr"], returns: "ptr" }, // [B], [N] or null: rd_kafka_mem_free
  rd_kafka_unsubscribe: { args: ["ptr"], returns: "i32" },
  rd_kafka_assign: { args: ["ptr", "ptr"], returns: "i32" }, // [B]
  rd_kafka_incremental_assign: { args: ["ptr", "ptr"], returns: "ptr" }, // [B], [N] rd_kafka_error_destroy when not NULL
  rd_kafka_incremental_unassign: { args: ["ptr", "ptr"], returns: "ptr" }, // the same
  rd_kafka_rebalance_protocol: { args: ["ptr"], returns: "ptr" }, // [S]
  rd_kafka_assignment_lost: { args: ["ptr"], returns: "i32" },
  rd_kafka_pause_partitions: { args: ["ptr", "ptr"], returns: "i32" }, // [B] writes err into the list
  rd_kafka_resume_partitions: { args: ["ptr", "ptr"], returns: "i32" }, // [B]
  rd_kafka_seek_partitions: { args: ["ptr", "ptr", "i32"], returns: "ptr" }, // [B], [N] rd_kafka_error_destroy when not NULL
  rd_kafka_commit_queue: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" }, // [B]; answers on the queue
  rd_kafka_get_watermark_offsets: { args: ["ptr", "ptr", "i32", "ptr", "ptr"], returns: "i32" }, // [B]; cached, never asks
  rd_kafka_consumer_close_queue: { args: ["ptr", "ptr"], returns: "ptr" }, // [N] rd_kafka_error_destroy when not NULL
  rd_kafka_consumer_closed: { args: ["ptr"], returns: "i32" },

  // Transactions. All of them wait inside librdkafka: only transaction-worker.ts calls them.
  rd_kafka_init_transactions: { args: ["ptr", "i32"], returns: "ptr" }, // [N] rd_kafka_error_destroy when not NULL
  rd_kafka_begin_transaction: { args: ["ptr"], returns: "ptr" }, // the same
  rd_kafka_send_offsets_to_transaction: { args: ["ptr", "ptr", "ptr", "i32"], returns: "ptr" }, // [B], the same
  rd_kafka_commit_transaction: { args: ["ptr", "i32"], returns: "ptr" }, // the same
  rd_kafka_abort_transaction: { args: ["ptr", "i32"], returns: "ptr" }, // the same
  rd_kafka_error_txn_requires_abort: { args: ["ptr"], returns: "i32" }, // [B]
  rd_kafka_consumer_group_metadata: { args: ["ptr"], returns: "ptr" }, // [N] …_metadata_destroy
  rd_kafka_consumer_group_metadata_write: { args: ["ptr", "ptr", "ptr"], returns: "ptr" }, // [B], [N] bytes: rd_kafka_mem_free; and the error
  rd_kafka_mem_free: { args: ["ptr", "ptr"], returns: "void" },
  rd_kafka_consumer_group_metadata_read: { args: ["ptr", "ptr", "u64_fast"], returns: "ptr" }, // [B], [N] …_metadata_destroy, and the error
  rd_kafka_consumer_group_metadata_destroy: { args: ["ptr"], returns: "void" },

  // Administration: every call answers with an event on the queue that it was given.
  rd_kafka_AdminOptions_new: { args: ["ptr", "i32"], returns: "ptr" }, // [N] rd_kafka_AdminOptions_destroy
  rd_kafka_AdminOptions_set_request_timeout: { args: ["ptr", "i32", "ptr", "u64_fast"], returns: "i32" },
  rd_kafka_AdminOptions_set_require_stable_offsets: { args: ["ptr", "i32"], returns: "ptr" }, // [N] rd_kafka_error_destroy when not NULL
  rd_kafka_AdminOptions_set_opaque: { args: ["ptr", "ptr"], returns: "void" },
  rd_kafka_AdminOptions_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_NewTopic_new: { args: ["ptr", "i32", "i32", "ptr", "u64_fast"], returns: "ptr" }, // [N] rd_kafka_NewTopic_destroy
  rd_kafka_NewTopic_set_config: { args: ["ptr", "ptr", "ptr"], returns: "i32" }, // [B]
  rd_kafka_NewTopic_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_CreateTopics: { args: ["ptr", "ptr", "u64_fast", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_CreateTopics_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_CreateTopics_result_topics: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_DeleteTopic_new: { args: ["ptr"], returns: "ptr" }, // [N] rd_kafka_DeleteTopic_destroy
  rd_kafka_DeleteTopic_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_DeleteTopics: { args: ["ptr", "ptr", "u64_fast", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_DeleteTopics_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_DeleteTopics_result_topics: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_topic_result_error: { args: ["ptr"], returns: "i32" },
  rd_kafka_topic_result_error_string: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_topic_result_name: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_TopicCollection_of_topic_names: { args: ["ptr", "u64_fast"], returns: "ptr" }, // [N] …_destroy
  rd_kafka_TopicCollection_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_DescribeTopics: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_DescribeTopics_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_DescribeTopics_result_topics: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_TopicDescription_name: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_TopicDescription_error: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_TopicDescription_partitions: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_TopicDescription_topic_id: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_Uuid_most_significant_bits: { args: ["ptr"], returns: "i64" }, // whole: ids are not numbers
  rd_kafka_Uuid_least_significant_bits: { args: ["ptr"], returns: "i64" },
  rd_kafka_topic_partition_get_leader_epoch: { args: ["ptr"], returns: "i32" },
  rd_kafka_NewPartitions_new: { args: ["ptr", "u64_fast", "ptr", "u64_fast"], returns: "ptr" }, // [B], [N] …_destroy
  rd_kafka_NewPartitions_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_CreatePartitions: { args: ["ptr", "ptr", "u64_fast", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_CreatePartitions_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_CreatePartitions_result_topics: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_DeleteRecords_new: { args: ["ptr"], returns: "ptr" }, // [B] copies the list, [N] …_destroy
  rd_kafka_DeleteRecords_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_DeleteRecords: { args: ["ptr", "ptr", "u64_fast", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_DeleteRecords_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_DeleteRecords_result_offsets: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListConsumerGroups: { args: ["ptr", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_ListConsumerGroups_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListConsumerGroups_result_valid: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListConsumerGroups_result_errors: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_ConsumerGroupListing_group_id: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ConsumerGroupListing_state: { args: ["ptr"], returns: "i32" },
  rd_kafka_ConsumerGroupListing_type: { args: ["ptr"], returns: "i32" },
  rd_kafka_consumer_group_state_name: { args: ["i32"], returns: "ptr" }, // [S]
  rd_kafka_consumer_group_type_name: { args: ["i32"], returns: "ptr" }, // [S]
  rd_kafka_DescribeConsumerGroups: { args: ["ptr", "ptr", "u64_fast", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_DescribeConsumerGroups_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_DescribeConsumerGroups_result_groups: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_ConsumerGroupDescription_group_id: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ConsumerGroupDescription_error: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ConsumerGroupDescription_state: { args: ["ptr"], returns: "i32" },
  rd_kafka_ConsumerGroupDescription_type: { args: ["ptr"], returns: "i32" },
  rd_kafka_ConsumerGroupDescription_partition_assignor: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ConsumerGroupDescription_member_count: { args: ["ptr"], returns: "u64_fast" },
  rd_kafka_ConsumerGroupDescription_member: { args: ["ptr", "u64_fast"], returns: "ptr" }, // [L]
  rd_kafka_MemberDescription_client_id: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_MemberDescription_group_instance_id: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_MemberDescription_consumer_id: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_MemberDescription_host: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_MemberDescription_assignment: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_MemberAssignment_partitions: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListConsumerGroupOffsets_new: { args: ["ptr", "ptr"], returns: "ptr" }, // [N] …_destroy; copies the list
  rd_kafka_ListConsumerGroupOffsets_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_ListConsumerGroupOffsets: { args: ["ptr", "ptr", "u64_fast", "ptr", "ptr"], returns: "void" }, // [B]
  rd_kafka_event_ListConsumerGroupOffsets_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListConsumerGroupOffsets_result_groups: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_group_result_error: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_group_result_partitions: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListOffsets: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "void" }, // [B] copies the list
  rd_kafka_event_ListOffsets_result: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListOffsets_result_infos: { args: ["ptr", "ptr"], returns: "ptr" }, // [L]
  rd_kafka_ListOffsetsResultInfo_topic_partition: { args: ["ptr"], returns: "ptr" }, // [L]
} as const;

/** The mock cluster: opened apart, because a library without all of it still serves real brokers. */
const MOCK = {
  rd_kafka_mock_cluster_new: { args: ["ptr", "i32"], returns: "ptr" }, // [N] rd_kafka_mock_cluster_destroy, before its client
  rd_kafka_mock_cluster_destroy: { args: ["ptr"], returns: "void" },
  rd_kafka_mock_cluster_bootstraps: { args: ["ptr"], returns: "ptr" }, // [L]
  rd_kafka_mock_topic_create: { args: ["ptr", "ptr", "i32", "i32"], returns: "i32" }, // [B]
  rd_kafka_mock_push_request_errors_array: { args: ["ptr", "i16", "u64_fast", "ptr"], returns: "void" }, // [B] copies
  rd_kafka_mock_clear_request_errors: { args: ["ptr", "i16"], returns: "void" },
  rd_kafka_mock_topic_set_error: { args: ["ptr", "ptr", "i32"], returns: "void" }, // [B]
  rd_kafka_mock_broker_set_down: { args: ["ptr", "i32"], returns: "i32" },
  rd_kafka_mock_broker_set_up: { args: ["ptr", "i32"], returns: "i32" },
  rd_kafka_mock_broker_set_rtt: { args: ["ptr", "i32", "i32"], returns: "i32" },
  rd_kafka_mock_coordinator_set: { args: ["ptr", "ptr", "ptr", "i32"], returns: "i32" }, // [B]
  rd_kafka_mock_group_initial_rebalance_delay_ms: { args: ["ptr", "i32"], returns: "void" },
} as const;

/** What only newer mock clusters have; each is opened alone and may be missing. */
const MOCK_EXTRA = {
  rd_kafka_mock_partition_delete_records: { args: ["ptr", "ptr", "i32", "i64_fast"], returns: "i32" }, // [B]
  rd_kafka_mock_set_group_consumer_heartbeat_interval_ms: { args: ["ptr", "i32"], returns: "void" },
  rd_kafka_mock_set_group_consumer_session_timeout_ms: { args: ["ptr", "i32"], returns: "void" },
  rd_kafka_mock_set_controller_id: { args: ["ptr", "i32"], returns: "void" },
  // Variadic in C. Six arguments all travel in registers on Linux, variadic or not: one error a call.
  rd_kafka_mock_broker_push_request_error_rtts: {
    args: ["ptr", "i32", "i16", "u64_fast", "i32", "i32"],
    returns: "i32",
  },
  rd_kafka_mock_partition_push_request_errors: {
    args: ["ptr", "ptr", "i32", "i16", "u64_fast", "i32"], // [B] copies
    returns: "i32",
  },
} as const;

const LIBC = {
  malloc: { args: ["u64_fast"], returns: "ptr" }, // [N] free, or whoever takes it
  free: { args: ["ptr"], returns: "void" },
  memcpy: { args: ["ptr", "ptr", "u64_fast"], returns: "ptr" },
  strlen: { args: ["ptr"], returns: "u64_fast" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  dlopen: { args: ["ptr", "i32"], returns: "ptr" },
  dlsym: { args: ["ptr", "ptr"], returns: "ptr" },
} as const;

/** What a C argument accepts. A pointer takes an address or memory of ours, which it sees for the call alone. */
interface Accepts {
  ptr: Address | Uint8Array | null;
  i16: number;
  i32: number;
  i64_fast: number | bigint;
  u64_fast: number;
}

/** What a C function returns; a null pointer comes back as null. */
interface Returns {
  ptr: Address | null;
  i32: number;
  i64: bigint;
  i64_fast: number | bigint;
  u64_fast: number;
  void: void;
}

interface Signature {
  readonly args: readonly (keyof Accepts)[];
  readonly returns: keyof Returns;
}

type Arguments<Kinds extends readonly (keyof Accepts)[]> = {
  -readonly [At in keyof Kinds]: Accepts[Kinds[At]];
};

type Callable<Table extends Readonly<Record<string, Signature>>> = {
  readonly [Name in keyof Table]: (
    ...args: Arguments<Table[Name]["args"]>
  ) => Returns[Table[Name]["returns"]];
};

export type Native = Callable<typeof RDKAFKA>;
type MockNative = Callable<typeof MOCK>;
export type MockExtra = Partial<Callable<typeof MOCK_EXTRA>>;
type Libc = Callable<typeof LIBC>;

/** dlopen with the types of the table: bun:ffi's own types call every symbol possibly missing. */
function openTable<Table extends Readonly<Record<string, Signature>>>(
  path: string,
  table: Table,
): Callable<Table> {
  try {
    return dlopen(path, table as unknown as Record<string, FFIFunction>)
      .symbols as unknown as Callable<Table>;
  } catch (cause) {
    throw new CauceError("library_unusable", `${path} cannot be used as librdkafka: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Those functions of the table that the library has. */
function openThose<Table extends Readonly<Record<string, Signature>>>(
  path: string,
  table: Table,
): Partial<Callable<Table>> {
  const found: Record<string, unknown> = {};
  for (const [name, signature] of Object.entries(table)) {
    try {
      found[name] = openTable(path, { [name]: signature })[name];
    } catch {
      // An older library: the caller sees it missing.
    }
  }
  return found as Partial<Callable<Table>>;
}

/** An opened librdkafka. Opening the same path twice gives the same one; it stays open as long as the process. */
export interface Library {
  readonly path: string;
  /** As librdkafka says it, such as "2.16.0". */
  readonly version: string;
  readonly native: Native;
  readonly libc: Libc;
  /** The mock cluster's functions. @throws CauceError `library_unusable` where the library lacks them. */
  mock(): MockNative;
  /** Those of the mock cluster's functions that only newer libraries have. */
  mockExtra(): MockExtra;
  /** The address of one of librdkafka's functions, for the shim. */
  addressOf(symbol: string): Address;
}

const opened = new Map<string, Library>();

/**
 * Opens the librdkafka at `path` and checks that it is one that Cauce can drive.
 * @throws CauceError `library_unusable`: not loadable, a function missing, older than 2.12, or a struct laid out otherwise.
 */
export function openLibrary(path: string): Library {
  const known = opened.get(path);
  if (known) return known;
  const native = openTable(path, RDKAFKA);
  const libc = openTable("libc.so.6", LIBC);
  const version = text(native.rd_kafka_version_str());
  if (native.rd_kafka_version() < OLDEST_VERSION) {
    throw new CauceError(
      "library_unusable",
      `${path} is librdkafka ${version}; 2.12.0 or newer is needed. Point CAUCE_LIBRDKAFKA at a newer one, or unset it.`,
    );
  }
  assertPartitionLayout(native, path);
  let mock: MockNative | undefined;
  let mockExtra: MockExtra | undefined;
  const handle = libc.dlopen(cString(path), RTLD_NOW) ?? 0;
  const library: Library = {
    path,
    version,
    native,
    libc,
    mock: () => (mock ??= openTable(path, MOCK)),
    mockExtra: () => (mockExtra ??= openThose(path, MOCK_EXTRA)),
    addressOf(symbol) {
      const address = libc.dlsym(handle, cString(symbol));
      if (!address) throw new CauceError("library_unusable", `${path} does not export ${symbol}`);
      return address;
    },
  };
  opened.set(path, library);
  return library;
}

/** dlopen(3): resolve everything now. */
const RTLD_NOW = 2;

/** Writes two partitions through librdkafka and reads them back where we believe the fields to be. */
function assertPartitionLayout(native: Native, path: string): void {
  const list = native.rd_kafka_topic_partition_list_new(2) ?? 0;
  native.rd_kafka_topic_partition_list_add(list, cString("first"), 11);
  native.rd_kafka_topic_partition_list_add(list, cString("second"), 12);
  const elements = readAddress(list, PARTITION_LIST.elements);
  const second = elements + PARTITION.size;
  const right =
    readI32(list, PARTITION_LIST.count) === 2 &&
    readI32(elements, PARTITION.partition) === 11 &&
    readI32(second, PARTITION.partition) === 12 &&
    text(readAddress(second, PARTITION.topic)) === "second" &&
    readI64(second, PARTITION.offset) === OFFSET.invalid &&
    readI32(second, PARTITION.err) === 0;
  native.rd_kafka_topic_partition_list_destroy(list);
  if (!right) {
    throw new CauceError(
      "library_unusable",
      `${path} lays out rd_kafka_topic_partition_t in a way that Cauce does not know`,
    );
  }
}

/** Logical offsets of librdkafka. */
export const OFFSET = { beginning: -2n, end: -1n, invalid: -1001n } as const;

/** A NUL-terminated copy for C, alive as long as the returned buffer is referenced. */
export function cString(value: string): Uint8Array {
  return encoder.encode(`${value}\0`);
}

/** bun:ffi brands addresses; ours are numbers that came from it. */
function asPointer(address: Address): Pointer {
  return address as Pointer;
}

/** Reads of native memory. The address must be alive: that is the caller's promise. */
export const readI32 = (address: Address, offset: number): number => read.i32(asPointer(address), offset);
export const readF64 = (address: Address, offset: number): number => read.f64(asPointer(address), offset);
export const readI64 = (address: Address, offset: number): bigint => read.i64(asPointer(address), offset);
export const readAddress = (address: Address, offset: number): Address =>
  read.ptr(asPointer(address), offset);

/** The text at a native address; empty for NULL. Copies. */
export function text(address: Address | null | undefined): string {
  return address ? new CString(asPointer(address)) : "";
}

/** The same for one that may be long: without its length, 60 KB are decoded in 530 µs and not in 7. */
export function longText({ libc }: Pick<Library, "libc">, address: Address | null | undefined): string {
  return address ? new CString(asPointer(address), 0, libc.strlen(address)) : "";
}

/**
 * Memory that C may write and JavaScript may read. Always over an explicit ArrayBuffer: the address of a small typed
 * array moves once its `.buffer` is touched.
 */
export function scratch(bytes: number): {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly address: Address;
} {
  const buffer = new ArrayBuffer(bytes);
  const view = new Uint8Array(buffer);
  return { view: new DataView(buffer), bytes: view, address: ptr(view) };
}

/** Where a buffer of ours lies, for as long as it is referenced. Only for buffers over an explicit ArrayBuffer. */
export function addressOf(bytes: Uint8Array): Address {
  return ptr(bytes);
}

const encoder = new TextEncoder();
