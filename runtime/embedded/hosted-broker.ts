/**
 * The mock cluster of librdkafka inside the keeper, made when the first process asks for a broker.
 *
 * In: the path of librdkafka, topic plans. Out: a bootstrap address, a generation that is new with every start, what
 * became of each topic. The mock serves no admin requests, so that topics are made here, in the process that owns it.
 * Everything is in memory, about 5 MiB a partition; it ends with this process.
 */
import { randomUUID } from "node:crypto";
import type { TopicPlan, TopicReport } from "../bus/bus.ts";
import { messageOf } from "../ground/errors.ts";

/** What the keeper needs of a cluster. */
export interface Cluster {
  readonly bootstrap: string;
  createTopic(name: string, partitions: number): void;
  close(): void;
}

export interface BrokerDescription {
  readonly bootstrap: string;
  readonly generation: string;
}

export class HostedBroker {
  readonly #start: (library: string) => Cluster | Promise<Cluster>;
  readonly #topics = new Map<string, number>();
  #running: Promise<BrokerDescription & { readonly cluster: Cluster }> | null = null;

  constructor(start: (library: string) => Cluster | Promise<Cluster>) {
    this.#start = start;
  }

  /** Starts the cluster, or describes the one that runs. A failed start is tried anew by the next call. */
  async open(library: string): Promise<BrokerDescription & { readonly how: "started" | "attached" }> {
    const how = this.#running === null ? "started" : "attached";
    this.#running ??= this.#startAnew(library);
    const running = this.#running;
    try {
      const { bootstrap, generation } = await running;
      return { bootstrap, generation, how };
    } catch (thrown) {
      if (this.#running === running) this.#running = null;
      throw thrown;
    }
  }

  async createTopics(plans: readonly TopicPlan[]): Promise<readonly TopicReport[]> {
    if (this.#running === null) throw new Error("no broker was started in this keeper");
    const { cluster } = await this.#running;
    return plans.map((plan) => this.#createTopic(plan, cluster));
  }

  topics(): readonly { readonly name: string; readonly partitions: number }[] {
    return [...this.#topics].map(([name, partitions]) => ({ name, partitions }));
  }

  async close(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    this.#topics.clear();
    if (running !== null) (await running).cluster.close();
  }

  async #startAnew(library: string) {
    const cluster = await this.#start(library);
    return { cluster, bootstrap: cluster.bootstrap, generation: randomUUID() };
  }

  #createTopic({ name, partitions, provision }: TopicPlan, cluster: Cluster): TopicReport {
    const present = this.#topics.get(name);
    if (present !== undefined) return { name, state: "present", partitions: present };
    if (provision === "none") return { name, state: "unchecked" };
    if (provision === "verify") return { name, state: "missing", detail: "no such topic on this broker" };
    try {
      cluster.createTopic(name, partitions);
    } catch (thrown) {
      return { name, state: "refused", detail: messageOf(thrown) };
    }
    this.#topics.set(name, partitions);
    return { name, state: "created", partitions };
  }
}
