/**
 * The bus over librdkafka: one producer shared by all, one consumer per topic of a subscription.
 *
 * In: where the brokers are and a library to drive. Out: a `Bus` that reconnects for ever.
 * Never here: envelopes, retries of records, a producer used again after it failed for good.
 */
import { systemClock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import {
  Admin,
  type ClientConfig,
  type ClientEvent,
  Consumer,
  type CrossingChoice,
  ERROR,
  type Library,
  Producer,
  type TopicAnswer,
  TransactionalProducer,
} from "../kafka/index.ts";
import type {
  Backlog,
  Bus,
  GroupTopics,
  OutgoingRecord,
  Positions,
  SubscribeOptions,
  Subscription,
  TopicPlan,
  TopicReport,
} from "./bus.ts";
import { groupBacklogs } from "./kafka-backlog.ts";
import { KafkaPublisher } from "./kafka-publisher.ts";
import { KafkaSubscription, type MemberOptions } from "./kafka-subscription.ts";
import { ensureTopics } from "./kafka-topics.ts";

export interface KafkaBusOptions {
  readonly library: Library;
  /** `host:port`, comma-separated. */
  readonly brokers: string;
  readonly clientId: string;
  /** Further librdkafka properties, such as TLS and SASL. Their secret values never reach a log or an error. */
  readonly clientConfig?: ClientConfig;
  /** Properties for the producer or for consumers alone, over `clientConfig`. */
  readonly producerConfig?: ClientConfig;
  readonly consumerConfig?: ClientConfig;
  readonly groupProtocol?: "classic" | "consumer";
  /** Static membership; see `ConsumerOptions`. The id counts within a group. */
  readonly groupInstanceId?: string;
  readonly crossing?: CrossingChoice;
  /** Bounds of what may be unacknowledged at once. */
  readonly mostRecords?: number;
  readonly mostBytes?: number;
  /** What librdkafka says; statistics arrive here too, every second. */
  readonly onEvent?: (event: ClientEvent) => void;
  /** Makes a topic where the broker serves no such request, as the embedded one. */
  readonly createTopic?: (plan: TopicPlan) => Promise<void>;
  /** Commits a transaction's offsets after it, where the broker keeps none that come with it, as the embedded one. Nothing is exact there. */
  readonly offsetsApart?: boolean;
}

/** Opens a bus. Resolves at once, brokers reachable or not: what needs them waits, or rejects as retryable. */
export async function createKafkaBus(options: KafkaBusOptions): Promise<Bus> {
  const bus = new KafkaBus(options);
  await bus.open();
  return bus;
}

class KafkaBus implements Bus {
  readonly description: string;
  readonly #options: KafkaBusOptions;
  readonly #common: ClientConfig;
  readonly #subscriptions = new Set<Subscription>();
  readonly #publisher: KafkaPublisher;
  #admin: Promise<Admin> | undefined;
  #connected = false;
  #closing: Promise<void> | undefined;

  constructor(options: KafkaBusOptions) {
    this.#options = options;
    this.description = `Kafka at ${options.brokers} over librdkafka ${options.library.version}`;
    this.#common = {
      ...options.clientConfig,
      "bootstrap.servers": options.brokers,
      "client.id": options.clientId,
    };
    this.#publisher = new KafkaPublisher({ open: (how) => this.#openProducer(how) });
  }

  get connected(): boolean {
    return this.#connected && !this.#closing;
  }

  /** The producer connects from the start: it tells whether a broker is there. */
  async open(): Promise<void> {
    await this.#publisher.start();
  }

  async ensureTopics(plans: readonly TopicPlan[]): Promise<readonly TopicReport[]> {
    this.#refuseClosed();
    const admin = await this.#opened();
    const create = (missing: readonly TopicPlan[]) => this.#create(admin, missing);
    return ensureTopics({ plans, admin, create, clock: systemClock });
  }

  async publish(records: readonly OutgoingRecord[]): Promise<Positions> {
    this.#refuseClosed();
    const positions = await this.#publisher.publish(records);
    if (records.length > 0) this.#connected = true;
    return positions;
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    this.#refuseClosed();
    const subscription = new KafkaSubscription({
      ...options,
      openMember: (member) => this.#openConsumer(member),
      openProducer: (id, how) => this.#openTransactionalProducer(id, how),
      committed: async (partitions) => (await this.#opened()).committedOffsets(options.group, partitions),
      offsetsApart: this.#options.offsetsApart === true,
      // A coordinator has answered: sooner than the next statistics say so.
      joined: () => void (this.#connected = true),
      forget: () => this.#subscriptions.delete(subscription),
    });
    await subscription.open();
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async backlog(groups: readonly GroupTopics[]): Promise<readonly Backlog[]> {
    this.#refuseClosed();
    return groupBacklogs(await this.#opened(), groups);
  }

  close(flushMs?: number): Promise<void> {
    return (this.#closing ??= this.#close(flushMs));
  }

  async #close(flushMs?: number): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await this.#publisher.close(flushMs);
    const admin = await this.#admin?.catch(() => undefined);
    admin?.close();
  }

  /** Static members of one group need a name each: the first keeps the one that was given. */
  #openConsumer({ nth, ...member }: MemberOptions): Promise<Consumer> {
    const { library, groupProtocol, groupInstanceId: id, crossing, consumerConfig, onEvent } = this.#options;
    return Consumer.open({
      ...member,
      library,
      config: { ...this.#common, ...consumerConfig },
      ...(groupProtocol ? { groupProtocol } : {}),
      ...(id === undefined ? {} : { groupInstanceId: nth === 0 ? id : `${id}.${nth + 1}` }),
      ...(crossing ? { crossing } : {}),
      ...(onEvent ? { onEvent } : {}),
    });
  }

  #openProducer({ batchRecords }: { readonly batchRecords?: number }): Promise<Producer> {
    const { library, producerConfig, crossing, mostRecords, mostBytes } = this.#options;
    return Producer.open({
      library,
      config: {
        ...this.#common,
        ...producerConfig,
        ...(batchRecords === undefined ? {} : { "batch.num.messages": batchRecords }),
      },
      onEvent: (event) => this.#heard(event),
      ...(crossing ? { crossing } : {}),
      ...(mostRecords === undefined ? {} : { mostRecords }),
      ...(mostBytes === undefined ? {} : { mostBytes }),
    });
  }

  #openTransactionalProducer(
    transactionalId: string,
    { batchBytes }: { readonly batchBytes?: number },
  ): Promise<TransactionalProducer> {
    const { library, producerConfig, crossing, onEvent } = this.#options;
    const { "message.timeout.ms": _ours, ...config } = { ...this.#common, ...producerConfig };
    return TransactionalProducer.open({
      library,
      config: batchBytes === undefined ? config : { ...config, "batch.size": batchBytes },
      transactionalId,
      ...(onEvent ? { onEvent } : {}),
      ...(crossing ? { crossing } : {}),
    });
  }

  /** The one admin client, opened when it is first needed. */
  #opened(): Promise<Admin> {
    const { library, onEvent } = this.#options;
    return (this.#admin ??= Admin.open({ library, config: this.#common, ...(onEvent ? { onEvent } : {}) }));
  }

  async #create(admin: Admin, plans: readonly TopicPlan[]): Promise<readonly TopicAnswer[]> {
    const { createTopic } = this.#options;
    if (!createTopic) return admin.createTopics(plans);
    return Promise.all(
      plans.map(async (plan): Promise<TopicAnswer> => {
        try {
          await createTopic(plan);
          return { name: plan.name, err: ERROR.none, detail: "" };
        } catch (error) {
          return { name: plan.name, err: ERROR.invalidArgument, detail: messageOf(error) };
        }
      }),
    );
  }

  /** The producer's events tell whether a broker is there. */
  #heard(event: ClientEvent): void {
    if (event.kind === "error" && event.away) this.#connected = false;
    if (event.kind === "statistics") this.#connected = event.json.includes('"state":"UP"');
    this.#options.onEvent?.(event);
  }

  #refuseClosed(): void {
    if (this.#closing) throw new CauceError("closed", "the bus was closed");
  }
}
