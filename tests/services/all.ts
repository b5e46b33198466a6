/**
 * Everything that `bun run test` sets up before the test files run.
 *
 * In: nothing. Out: librdkafka found or made, and Kafka, Postgres and Redis running, with the variables by which the
 * test files find them. Never here: a server that a single file has for itself.
 */
import { describeMs } from "../../runtime/ground/duration.ts";
import { locateLibrary } from "../../runtime/kafka/library/locate.ts";
import { cacheFolder } from "../../runtime/provision/cache-folder.ts";
import type { Report } from "../../runtime/provision/step.ts";
import { KAFKA_VARIABLE, startKafka } from "./kafka.ts";
import { POSTGRES_VARIABLE, startPostgres } from "./postgres.ts";
import { REDIS_VARIABLE, startRedis } from "./redis.ts";

export interface Services {
  /** Variables by which the test files find them. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Finds librdkafka, then starts the three servers at the same time. */
export async function startServices(report: Report): Promise<Services> {
  const startMs = performance.now();
  const library = await locateLibrary({
    env: process.env,
    cacheDir: cacheFolder(process.env),
    production: false,
    report,
  });
  report(`librdkafka ${library.version} from ${library.source} (${library.path})`);
  const started = await Promise.allSettled([startKafka({ report }), startPostgres(), startRedis(report)]);
  const [kafka, postgres, redis] = started;
  const stop = async () => {
    await Promise.all(started.flatMap((one) => (one.status === "fulfilled" ? [one.value.stop()] : [])));
  };
  if (kafka.status === "rejected" || postgres.status === "rejected" || redis.status === "rejected") {
    await stop();
    const reasons = started.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
    throw new Error(reasons.join("\n"));
  }
  report(
    `started Apache Kafka (${kafka.value.brokers}), PostgreSQL (port ${postgres.value.port}) and Redis ` +
      `(${redis.value.url}) in ${describeMs(performance.now() - startMs)}`,
  );
  const env = {
    [KAFKA_VARIABLE]: kafka.value.brokers,
    [POSTGRES_VARIABLE]: postgres.value.adminUrl,
    [REDIS_VARIABLE]: redis.value.url,
  };
  return { env, stop };
}
