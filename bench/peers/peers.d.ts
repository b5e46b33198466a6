/**
 * As much of the peers' types as the hops use: the packages are installed only where the benchmark runs.
 */
declare module "kafkajs" {
  export interface Message {
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly offset: string;
  }
  interface BatchPayload {
    readonly batch: { readonly messages: readonly Message[] };
    readonly resolveOffset: (offset: string) => void;
    readonly commitOffsetsIfNecessary: () => Promise<void>;
    readonly heartbeat: () => Promise<void>;
  }
  interface Client {
    producer(options: object): {
      connect(): Promise<void>;
      send(work: object): Promise<unknown>;
      disconnect(): Promise<void>;
    };
    consumer(options: object): {
      connect(): Promise<void>;
      subscribe(options: object): Promise<void>;
      run(options: {
        eachBatch(payload: BatchPayload): Promise<void>;
        [name: string]: unknown;
      }): Promise<void>;
      disconnect(): Promise<void>;
    };
  }
  const kafkajs: {
    readonly Kafka: new (options: object) => Client;
    readonly Partitioners: { readonly DefaultPartitioner: unknown };
    readonly logLevel: { readonly ERROR: number };
  };
  export default kafkajs;
}

declare module "@platformatic/kafka" {
  export interface Message {
    readonly key: Buffer;
    readonly value: Buffer;
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
    readonly leaderEpoch: number;
  }
  export interface MessagesStream {
    on(event: "data", listener: (message: Message) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    pause(): this;
    resume(): this;
    close(): Promise<void>;
  }
  export class Consumer {
    constructor(options: object);
    consume(options: object): Promise<MessagesStream>;
    commit(options: object): Promise<void>;
    close(force?: boolean): Promise<void>;
  }
  export class Producer {
    constructor(options: object);
    send(options: object): Promise<unknown>;
    close(force?: boolean): Promise<void>;
  }
}

declare module "pg-boss" {
  interface Job<Data> {
    readonly data: Data;
  }
  export class PgBoss {
    constructor(options: object);
    on(event: "error", listener: (error: Error) => void): this;
    start(): Promise<unknown>;
    stop(options: object): Promise<void>;
    createQueue(name: string): Promise<void>;
    insert(name: string, jobs: readonly object[]): Promise<unknown>;
    work<Data>(
      name: string,
      options: object,
      handler: (jobs: readonly Job<Data>[]) => Promise<void>,
    ): Promise<string>;
  }
}

declare module "graphile-worker" {
  interface WorkerUtils {
    migrate(): Promise<void>;
    addJobs(jobs: readonly object[]): Promise<unknown>;
    release(): Promise<void>;
  }
  export function makeWorkerUtils(options: object): Promise<WorkerUtils>;
  export function run(options: object): Promise<{ stop(): Promise<void> }>;
}
