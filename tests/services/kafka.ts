/**
 * A real Apache Kafka 4.3 for the tests: one KRaft node on 127.0.0.1, its data in a temporary folder.
 *
 * In: settings of the broker that a test wants otherwise. Out: its address and the console tools that come with it.
 * `sharedKafka` is the one broker of a test run; `startKafka` is one's own, to be stopped, killed and restarted.
 * Never here: the tools themselves (`kafka-tools.ts`), a client of ours.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../../runtime/provision/step.ts";
import { inNewFolder, removeFolder, startDaemon, type Daemon } from "./daemon.ts";
import { ensureKafkaProgram, type KafkaProgram } from "./java.ts";
import { CLUSTER_ID, type ExtraListener, LOG_SETTINGS, serverProperties } from "./kafka-settings.ts";
import { JVM_FLAGS, runJava, withTools, type KafkaBroker } from "./kafka-tools.ts";
import { freePort } from "./port.ts";

export type { KafkaBroker } from "./kafka-tools.ts";

export interface OwnKafkaBroker extends KafkaBroker {
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  /** `kill -9`; the data stays for `restart`. */
  kill(): Promise<void>;
  /** Ends it if it runs, and starts it again on the same port and data. */
  restart(): Promise<void>;
}

export interface StartKafkaOptions {
  /** Lines of server.properties that replace or add to ours. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Further ways to connect, beside the one without any security; their ports come from `freePort`. */
  readonly listeners?: readonly ExtraListener[];
  readonly report?: Report;
}

/** Set by `bun run test` to the address of the broker that it started. */
export const KAFKA_VARIABLE = "CAUCE_TEST_KAFKA";
/** From start to "Kafka Server started": 5 s on two idle cores. */
const READY_WITHIN_MS = 120_000;
const MOST_STARTS = 3;

/** The broker of this test run: the one of `bun run test`, else one that is started now and ends with this process. */
export function sharedKafka(): Promise<KafkaBroker> {
  // Test files do not share modules, but they share the process.
  const shared = globalThis as { cauceTestKafka?: Promise<KafkaBroker> };
  shared.cauceTestKafka ??= attachOrStart();
  return shared.cauceTestKafka;
}

async function attachOrStart(): Promise<KafkaBroker> {
  const address = process.env[KAFKA_VARIABLE];
  if (!address) return await startKafka();
  return withTools(address, await ensureKafkaProgram(say));
}

/** Starts a broker of one's own. */
export async function startKafka(options: StartKafkaOptions = {}): Promise<OwnKafkaBroker> {
  const program = await ensureKafkaProgram(options.report ?? say);
  const { settings = {}, listeners = [] } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await inNewFolder("cauce-kafka-", (folder) => startIn({ program, folder, settings, listeners }));
    } catch (error) {
      // Between the choice of a port and the broker's listening lie seconds, in which another program may take it.
      if (attempt === MOST_STARTS || !String(error).includes("Address already in use")) throw error;
    }
  }
}

async function startIn(work: {
  program: KafkaProgram;
  folder: string;
  settings: Readonly<Record<string, string>>;
  listeners: readonly ExtraListener[];
}): Promise<OwnKafkaBroker> {
  const { program, folder, settings, listeners } = work;
  const port = freePort();
  const properties = join(folder, "server.properties");
  writeFileSync(properties, serverProperties({ folder, port, settings, listeners }));
  writeFileSync(join(folder, "log4j2.properties"), LOG_SETTINGS);
  await runJava(program, {
    className: "kafka.tools.StorageTool",
    args: ["format", "-t", CLUSTER_ID, "-c", properties],
  });
  let daemon = await startBroker({ program, folder, properties });
  const kill = () => daemon.end("SIGKILL");
  return {
    ...withTools(`127.0.0.1:${port}`, program),
    kill,
    async restart() {
      await daemon.end("SIGTERM");
      daemon = await startBroker({ program, folder, properties });
    },
    async stop() {
      await daemon.end("SIGTERM");
      removeFolder(folder);
    },
  };
}

function startBroker(work: { program: KafkaProgram; folder: string; properties: string }): Promise<Daemon> {
  const { program, folder, properties } = work;
  return startDaemon({
    name: "Apache Kafka",
    command: [
      program.java,
      "-Xms256m",
      "-Xmx768m",
      ...JVM_FLAGS,
      `-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`,
      "-cp",
      `${program.jars}/*`,
      "kafka.Kafka",
      properties,
    ],
    env: process.env,
    folder,
    readyWithinMs: READY_WITHIN_MS,
    isReady: (output) => output.includes("Kafka Server started"),
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
