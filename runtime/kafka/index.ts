/**
 * The entry `cauce/kafka`: librdkafka on Bun, usable without the rest of Cauce.
 *
 * Order to read: symbols → client → wake → pump → crossing (shim, plain) → batch, outgoing, answers → producer → transactions → assignment,
 * consumer → admin → mock.
 */
export { type Library, openLibrary } from "./symbols.ts";
export { type ConsumedRecord, type ForwardedRecord, release } from "./batch.ts";
export { HeaderBlock } from "./header-block.ts";
export { type ProducedRecord } from "./outgoing.ts";
export { type ClientConfig } from "./client.ts";
export { type CrossingChoice } from "./crossing.ts";
export { openCrossing } from "./choose-crossing.ts";
export { SHIM_SOURCE, shimAheadOf } from "./shim-ahead.ts";
export { type ClientEvent } from "./events.ts";
export { ERROR } from "./failures.ts";
export { RefusedTogether } from "./refused-together.ts";
export { Producer, PRODUCER_DEFAULTS, type ProducerOptions } from "./producer.ts";
export { TransactionalProducer, type TransactionalProducerOptions } from "./transactions.ts";
export { TransactionError, type TransactionRemedy } from "./transaction-error.ts";
export { type GroupMetadata } from "./group-metadata.ts";
export { type StartedPartition } from "./starts.ts";
export { type CommitEntry, Consumer, type ConsumerOptions } from "./consumer.ts";
export { CONSUMER_DEFAULTS } from "./consumer-config.ts";
export { Admin, type AdminOptions, type NewTopic, type TopicDescription } from "./admin.ts";
export { type TopicAnswer } from "./topic-answers.ts";
export { type DeletedRecords } from "./topic-changes.ts";
export { type GroupDescription, type GroupListing, type GroupMember } from "./groups.ts";
export { type ClientStatistics, type PartitionStatistics, readStatistics } from "./statistics.ts";
export { MOCK_CLIENTS, type MockAnswer, MockCluster, type MockClusterOptions } from "./mock.ts";
export { locateLibrary, type LocatedLibrary, type LocateOptions } from "./library/locate.ts";
