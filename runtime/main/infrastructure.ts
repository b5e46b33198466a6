/**
 * Broker and database: the configured ones, else embedded ones. The only file that chooses real forms of bus and store.
 *
 * In: settings. Out: an open bus, an open store, and what to say about them. Never here: handlers, topics' meaning.
 */
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Bus, TopicPlan, TopicReport } from "../bus/bus.ts";
import { createKafkaBus } from "../bus/kafka.ts";
import { kafkaClientConfig } from "../config/kafka-client.ts";
import type { RuntimeSettings } from "../config/runtime-settings.ts";
import type { Environment } from "../config/settings.ts";
import { attachBroker, type EmbeddedBroker } from "../embedded/broker.ts";
import { attachPostgres } from "../embedded/postgres.ts";
import { stateFolderOf } from "../embedded/state.ts";
import type { Clock } from "../ground/clock.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { Log } from "../ground/log.ts";
import { MOCK_CLIENTS, openLibrary, PRODUCER_DEFAULTS } from "../kafka/index.ts";
import { locateLibrary } from "../kafka/library/locate.ts";
import { cacheFolder } from "../provision/cache-folder.ts";
import type { Report } from "../provision/step.ts";
import { checkDeadlines } from "../scheduler/deadlines.ts";
import { STORE_LIMITS } from "../store/limits.ts";
import { createPostgresStore } from "../store/postgres.ts";
import type { Store } from "../store/store.ts";
import { kafkaLog } from "./kafka-log.ts";
import type { PartLine } from "./report.ts";

export interface InfrastructureOptions {
  readonly app: string;
  readonly projectDir: string;
  readonly settings: RuntimeSettings;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
  readonly report: Report;
  /** Ends waiting for a database that is away. */
  readonly signal: AbortSignal;
}

export interface Infrastructure {
  readonly bus: Bus;
  readonly store: Store;
  readonly databaseUrl: string;
  readonly databaseEmbedded: boolean;
  /** Of an embedded broker; null on a real one. */
  readonly generation: string | null;
  readonly ensureTopics: (plans: readonly TopicPlan[]) => Promise<readonly TopicReport[]>;
  /** Resolves when an embedded broker is gone and with it all that was in flight. Never on a real one. */
  readonly brokerGone: Promise<"died" | "stopped">;
  readonly parts: readonly PartLine[];
  /** Waits at most `flushMs` for what is on its way to the broker (default 10 s). */
  close(flushMs?: number): Promise<void>;
}

/** @throws CauceError `library_unusable`, `embedded_failed`, `config_invalid`, or `aborted` by the signal. */
export async function openInfrastructure(options: InfrastructureOptions): Promise<Infrastructure> {
  const { settings, log } = options;
  const production = settings.nodeEnv === "production";
  if (production) refuseStandIns(settings);
  // Before anything is fetched or started.
  const kafka = readKafka(options);
  // Closed in reverse order, also when a later step fails.
  const closers: ((flushMs?: number) => Promise<void>)[] = [];
  const close = async (flushMs?: number) => {
    for (const call of closers.splice(0).toReversed()) {
      await call(flushMs).catch((error: unknown) =>
        log.warn("could not close cleanly", { error: messageOf(error) }),
      );
    }
  };
  try {
    const library = await locateLibrary({
      env: options.environment,
      cacheDir: cacheFolder(options.environment),
      production,
      report: options.report,
    });
    const [database, broker] = await Promise.all([
      openDatabase(options, closers),
      openBroker({ ...options, libraryPath: library.path, kafka }, closers),
    ]);
    const store = await createPostgresStore({
      url: database.url,
      app: options.app,
      schema: settings.databaseSchema,
      poolSize: settings.databasePoolSize,
      ...(settings.databaseDirectUrl !== undefined && { directUrl: settings.databaseDirectUrl }),
      clock: options.clock,
      log,
      signal: options.signal,
    });
    closers.push(() => store.close());
    const { embedded } = broker;
    checkDeadlines({
      publishDeadlineMs: STORE_LIMITS.publishDeadlineMs,
      messageTimeoutMs: Number(
        broker.config["message.timeout.ms"] ?? PRODUCER_DEFAULTS["message.timeout.ms"],
      ),
      idleInTransactionMs: STORE_LIMITS.idleInTransactionMs,
    });
    const bus = await createKafkaBus({
      library: openLibrary(library.path),
      brokers: broker.brokers,
      clientConfig: broker.config,
      clientId: options.app,
      onEvent: kafkaLog(log, options.clock),
      ...(embedded !== null && { ...MOCK_CLIENTS, offsetsApart: true }),
    });
    closers.push((flushMs) => bus.close(flushMs));
    return {
      bus,
      store,
      databaseUrl: database.url,
      databaseEmbedded: settings.databaseUrl === undefined,
      generation: embedded?.generation ?? null,
      ensureTopics:
        embedded === null ? (plans) => bus.ensureTopics(plans) : (plans) => embedded.createTopics(plans),
      brokerGone: new Promise((resolve) => embedded?.onGone(resolve)),
      parts: [
        broker.part,
        database.part,
        { part: "librdkafka", what: `${library.version} (${library.source})`, standIn: false },
      ],
      close,
    };
  } catch (error) {
    await close(0);
    throw error;
  }
}

function refuseStandIns(settings: RuntimeSettings): void {
  const missing = [
    settings.kafkaBrokers === undefined ? "KAFKA_BROKERS" : null,
    settings.databaseUrl === undefined ? "DATABASE_URL" : null,
  ].filter((name) => name !== null);
  if (missing.length === 0) return;
  throw new CauceError(
    "config_invalid",
    `NODE_ENV is production, so nothing is embedded: set ${missing.join(" and ")}`,
  );
}

interface Database {
  readonly url: string;
  readonly part: PartLine;
}

/** The configured database, else the embedded one; what was attached to is given to `closers`. */
export async function openDatabase(
  options: Pick<InfrastructureOptions, "settings" | "projectDir" | "report" | "signal">,
  closers: (() => Promise<void>)[],
): Promise<Database> {
  const { databaseUrl, stateDir } = options.settings;
  if (databaseUrl !== undefined) {
    const { host, pathname } = new URL(databaseUrl);
    return { url: databaseUrl, part: { part: "postgres", what: `${host}${pathname}`, standIn: false } };
  }
  const postgres = await attachPostgres({
    stateDir: stateFolderOf(options.projectDir, stateDir),
    report: options.report,
    signal: options.signal,
  });
  closers.push(() => postgres.close());
  const { host } = new URL(postgres.url);
  const what = `PostgreSQL ${postgres.version}, embedded, on ${host} (${postgres.how}); its data stays`;
  return { url: postgres.url, part: { part: "postgres", what, standIn: false } };
}

interface Broker {
  readonly brokers: string;
  readonly config: Readonly<Record<string, string>>;
  readonly embedded: EmbeddedBroker | null;
  readonly part: PartLine;
}

async function openBroker(
  options: Pick<InfrastructureOptions, "settings" | "projectDir" | "report"> & {
    readonly libraryPath: string;
    readonly kafka: Broker["config"];
  },
  closers: (() => Promise<void>)[],
): Promise<Broker> {
  const { libraryPath, kafka, report } = options;
  const { kafkaBrokers, stateDir } = options.settings;
  if (kafkaBrokers !== undefined) {
    const part = { part: "kafka", what: kafkaBrokers, standIn: false };
    return { brokers: kafkaBrokers, config: kafka, embedded: null, part };
  }
  const embedded = await attachBroker({
    stateDir: stateFolderOf(options.projectDir, stateDir),
    libraryPath,
    report,
  });
  closers.push(() => embedded.close());
  const what = `in memory on ${embedded.bootstrap} (${embedded.how}): messages in flight are gone with its last process; open questions are asked again`;
  return { brokers: embedded.bootstrap, config: {}, embedded, part: { part: "kafka", what, standIn: true } };
}

/** librdkafka's properties as the settings say them; for an embedded broker they say nothing. */
function readKafka({
  settings,
  projectDir,
}: Pick<InfrastructureOptions, "settings" | "projectDir">): Broker["config"] {
  const { kafkaBrokers, kafkaConfig } = settings;
  if (kafkaConfig === undefined || kafkaBrokers === undefined) return kafkaClientConfig(settings);
  const path = isAbsolute(kafkaConfig) ? kafkaConfig : join(projectDir, kafkaConfig);
  return kafkaClientConfig(settings, readConfig(path));
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CauceError("config_invalid", `KAFKA_CONFIG: ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
