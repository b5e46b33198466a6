/**
 * Everything that the demonstration with Flink runs on: a real Kafka, Postgres and Redis, a Flink cluster that scores, and two
 * processes with all handlers but the scoring one.
 *
 * In: where the project is. Out: the running stack. Nothing outlives this process. Never here: questions, what goes wrong.
 */
import application from "../../handlers/shared/app.ts";
import scoring from "../../handlers/llm.generated.ts";
import { startUpstashFront } from "../../deploy/upstash-front.ts";
import { startFlink, type FlinkCluster } from "../../deploy/flink/cluster.ts";
import { createKafkaBus } from "../../runtime/bus/kafka.ts";
import type { Bus } from "../../runtime/bus/bus.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { generated } from "../../schema/topics.ts";
import { testLibrary } from "../../tests/kafka/library.ts";
import { startKafka } from "../../tests/services/kafka.ts";
import { freePort } from "../../tests/services/port.ts";
import { startPostgres } from "../../tests/services/postgres.ts";
import { startRedis } from "../../tests/services/redis.ts";
import { inherited, startWorker, type Worker } from "../demo-real/stack.ts";

export interface FlinkStack {
  /** The door's address. */
  readonly url: string;
  readonly databaseUrl: string;
  readonly bus: Bus;
  readonly flink: FlinkCluster;
  /** The scoring job's id. */
  readonly job: string;
  readonly workers: readonly Worker[];
  stop(): Promise<void>;
}

export interface FlinkStackOptions {
  readonly projectDir: string;
  /** Settings of the workers and of the job beside those of the stack. */
  readonly settings: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

const WORKERS = [
  { name: "worker 1", run: "ingress,scheduler,llm.errors,llm.validated,llm.failed" },
  { name: "worker 2", run: "scheduler,llm.requests" },
] as const;

/** @throws Error when a part cannot be started; what was started is ended again. */
export async function startFlinkStack({ projectDir, settings, say }: FlinkStackOptions): Promise<FlinkStack> {
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  const opened = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const part = await starting;
    closers.push(() => part.stop());
    return part;
  };
  try {
    const kafka = await opened(startKafka({ report: say }));
    const postgres = await opened(startPostgres());
    const redis = await opened(startRedis(say));
    const flink = await opened(startFlink(say));
    const token = crypto.randomUUID();
    const front = startUpstashFront({ redisUrl: redis.url, token });
    closers.push(() => front.close());
    const databaseUrl = await postgres.createDatabase("demo");
    say(
      `Apache Kafka on ${kafka.brokers}, PostgreSQL on port ${postgres.port}, Redis at ${redis.url}, Flink at ${flink.url}`,
    );

    const bus = await createKafkaBus({
      library: await testLibrary(),
      brokers: kafka.brokers,
      clientId: "demo",
    });
    closers.push(() => bus.close(0));
    const port = freePort();
    const environment = {
      ...inherited(),
      ...settings,
      KAFKA_BROKERS: kafka.brokers,
      DATABASE_URL: databaseUrl,
      UPSTASH_REDIS_REST_URL: front.url,
      UPSTASH_REDIS_REST_TOKEN: token,
      PORT: String(port),
    };
    const workers: Worker[] = [];
    for (const worker of WORKERS) {
      workers.push(await opened(startWorker({ ...worker, projectDir, environment })));
      say(`${worker.name} runs ${worker.run}`);
    }
    // The scoring handler would make its two own topics; it does not run here.
    const { deadLetterTopic, retryTopic } = namesFor(application.name, scoring);
    const { partitions } = generated;
    const plans = [deadLetterTopic, retryTopic].map((name) => ({
      name,
      partitions,
      provision: "create" as const,
    }));
    await bus.ensureTopics(plans);
    const job = await flink.submit({ KAFKA_BROKERS: kafka.brokers, ...settings });
    return { url: `http://127.0.0.1:${port}`, databaseUrl, bus, flink, job, workers, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}
