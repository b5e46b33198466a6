/**
 * Everything that the demonstration runs on: a real Kafka, Postgres and Redis, and three workers.
 *
 * In: a folder with the recorded answers. Out: the running stack. Each part is held by a pipe from this process, so
 * nothing outlives it, however it ends. Never here: questions, faults.
 */
import { join } from "node:path";
import { startUpstashFront } from "../../deploy/upstash-front.ts";
import { inNewFolder, removeFolder, startDaemon, type Daemon } from "../../tests/services/daemon.ts";
import { startKafka } from "../../tests/services/kafka.ts";
import { freePort } from "../../tests/services/port.ts";
import { startPostgres, type OwnPostgresServer } from "../../tests/services/postgres.ts";
import { startRedis } from "../../tests/services/redis.ts";

export interface Worker {
  readonly name: string;
  /** What it runs: the value of RUN. */
  readonly run: string;
  /** Its process id, another one after each start. */
  pid(): number;
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  restart(): Promise<void>;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>;
  output(): string;
}

export interface Stack {
  /** The door's address. */
  readonly url: string;
  readonly databaseUrl: string;
  readonly postgres: Pick<OwnPostgresServer, "restart">;
  readonly workers: readonly Worker[];
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly projectDir: string;
  /** A file of recorded answers that the offline model repeats. */
  readonly answers: string;
  readonly say: (line: string) => void;
  /** Settings of the workers beside these and instead of those of the demonstration; "" unsets one. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** One has the door; every other part runs in two processes, so that one of them may die. */
const WORKERS = [
  { name: "worker 1", run: "ingress,scheduler,llm.errors,llm.validated,llm.failed" },
  { name: "worker 2", run: "scheduler,llm.requests,llm.generated,llm.errors,llm.validated" },
  { name: "worker 3", run: "scheduler,llm.requests,llm.generated,llm.failed" },
] as const;
const FAULTS = "rate_limit=0.2,timeout=0.05,garbage=0.02";
/** Waits of a demonstration, in ms: a question meets all that can happen, only sooner. */
const WAITS = { MODEL_TIMEOUT_MS: "800", RETRY_RATE_LIMIT_BASE_MS: "500", RETRY_FAILURE_BASE_MS: "300" };
const READY_WITHIN_MS = 60_000;

/** @throws Error when a part cannot be started; what was started is ended again. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  /** Also when a sibling fails: what did start is ended. */
  const opened = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const part = await starting;
    closers.push(() => part.stop());
    return part;
  };
  try {
    const { say } = options;
    const started = await Promise.allSettled([
      opened(startKafka({ report: say })),
      opened(startPostgres()),
      opened(startRedis(say)),
    ]);
    const [kafka, postgres, redis] = started;
    if (kafka.status === "rejected") throw kafka.reason;
    if (postgres.status === "rejected") throw postgres.reason;
    if (redis.status === "rejected") throw redis.reason;
    const token = crypto.randomUUID();
    const front = startUpstashFront({ redisUrl: redis.value.url, token });
    closers.push(() => front.close());
    const databaseUrl = await postgres.value.createDatabase("demo");
    say(
      `Apache Kafka on ${kafka.value.brokers}, PostgreSQL on port ${postgres.value.port}, Redis at ${redis.value.url}`,
    );

    const port = freePort();
    const environment = {
      ...inherited(),
      KAFKA_BROKERS: kafka.value.brokers,
      DATABASE_URL: databaseUrl,
      UPSTASH_REDIS_REST_URL: front.url,
      UPSTASH_REDIS_REST_TOKEN: token,
      PORT: String(port),
      OFFLINE_ANSWERS: options.answers,
      OFFLINE_FAULTS: FAULTS,
      ...WAITS,
      ...options.environment,
    };
    const workers = await Promise.all(
      WORKERS.map((worker) =>
        opened(startWorker({ ...worker, projectDir: options.projectDir, environment })),
      ),
    );
    for (const { name, run } of workers) say(`${name} runs ${run}`);
    return { url: `http://127.0.0.1:${port}`, databaseUrl, postgres: postgres.value, workers, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** One process of handlers, held by a pipe; its state in a folder of its own. */
export function startWorker(options: {
  readonly name: string;
  readonly run: string;
  readonly projectDir: string;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<Worker> {
  const { name, run, projectDir, environment } = options;
  return inNewFolder("cauce-worker-", async (folder) => {
    const start = () =>
      startDaemon({
        name,
        command: ["sh", "-c", 'cd "$0" && exec "$@"', projectDir, process.execPath, ...COMMAND],
        env: { ...environment, RUN: run, STATE_DIR: join(folder, "state") },
        folder,
        isReady: (output) => output.includes('"event":"up"'),
        readyWithinMs: READY_WITHIN_MS,
      });
    let daemon: Daemon = await start();
    return {
      name,
      run,
      pid: () => daemon.pid,
      kill: () => daemon.end("SIGKILL"),
      async restart() {
        daemon = await start();
      },
      async stop() {
        await daemon.end("SIGTERM");
        removeFolder(folder);
      },
      output: () => daemon.output(),
    };
  });
}

const COMMAND = ["runtime/bin/cauce.ts", "handlers"];

/** What a program needs of its surroundings, and none of the settings of this shell. */
export function inherited(): Record<string, string> {
  const wanted = ["PATH", "HOME", "LANG", "XDG_CACHE_HOME", "CAUCE_LIBRDKAFKA", "LOG_LEVEL"];
  return Object.fromEntries(
    wanted.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
