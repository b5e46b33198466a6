/**
 * The environment in which the runtime is measured: real Kafka, real Postgres, nothing embedded, errors alone in the log.
 */
import type { Stage } from "./stage.ts";

export function runtimeEnvironment(
  { brokers, library }: Pick<Stage, "brokers" | "library">,
  databaseUrl: string,
): Readonly<Record<string, string>> {
  return {
    KAFKA_BROKERS: brokers,
    DATABASE_URL: databaseUrl,
    CAUCE_LIBRDKAFKA: library,
    // One process, whose own CPU time and memory are all there is.
    CAUCE_SUPERVISE: "off",
    NODE_ENV: "production",
    LOG_LEVEL: "error",
  };
}
