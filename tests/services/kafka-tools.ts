/**
 * The command-line tools that come with Apache Kafka, as functions.
 *
 * In: a broker's address. Out: what the tools print, which is what any user of Kafka sees. Never here: a client of ours.
 */
import type { KafkaProgram } from "./java.ts";

export interface KafkaBroker {
  /** "127.0.0.1:port". */
  readonly brokers: string;
  /**
   * Runs one of Kafka's own command-line tools by class name, such as `org.apache.kafka.tools.TopicCommand`, and
   * returns what it printed. `--bootstrap-server` is added. Takes about 2 s: a JVM starts.
   * @throws Error with the tool's output when it fails.
   */
  tool(className: string, options: ToolOptions): Promise<string>;
  /** `kafka-topics.sh`: `topics("--create", "--topic", "t", "--partitions", "3")`. */
  topics(...args: readonly string[]): Promise<string>;
  /** `kafka-console-consumer.sh` from the beginning: the first `count` lines it prints. Fails after 20 s without a message. */
  consoleConsumer(options: ConsoleConsumerOptions): Promise<readonly string[]>;
  /** `kafka-console-producer.sh`: one message per line. */
  consoleProducer(options: ConsoleProducerOptions): Promise<void>;
}

export interface ToolOptions {
  readonly args: readonly string[];
  readonly input?: string;
}

export interface ConsoleConsumerOptions {
  readonly topic: string;
  readonly count: number;
  /** Further arguments, such as `["--formatter-property", "print.key=true"]`. */
  readonly args?: readonly string[];
}

export interface ConsoleProducerOptions {
  readonly topic: string;
  readonly lines: readonly string[];
  /** Further arguments, such as `["--reader-property", "parse.key=true"]`. */
  readonly args?: readonly string[];
}

/** A JVM that starts quickly rather than runs quickly. */
export const JVM_FLAGS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const CONSUMER_TIMEOUT_MS = 20_000;

/** The tools against one broker. */
export function withTools(brokers: string, program: KafkaProgram): KafkaBroker {
  const tool: KafkaBroker["tool"] = (className, { args, input }) =>
    runJava(program, {
      className,
      args: ["--bootstrap-server", brokers, ...args],
      ...(input === undefined ? {} : { input }),
    });
  return {
    brokers,
    tool,
    topics: (...args) => tool("org.apache.kafka.tools.TopicCommand", { args }),
    async consoleConsumer({ topic, count, args = [] }) {
      const limits = ["--max-messages", String(count), "--timeout-ms", String(CONSUMER_TIMEOUT_MS)];
      const printed = await tool("org.apache.kafka.tools.consumer.ConsoleConsumer", {
        args: ["--topic", topic, "--from-beginning", ...limits, ...args],
      });
      return printed.split("\n").filter((line) => line !== "");
    },
    async consoleProducer({ topic, lines, args = [] }) {
      const input = lines.map((line) => `${line}\n`).join("");
      await tool("org.apache.kafka.tools.ConsoleProducer", { args: ["--topic", topic, ...args], input });
    },
  };
}

/** Runs one class of the jars to its end and returns what it printed. */
export async function runJava(
  program: KafkaProgram,
  { className, args, input = "" }: ToolOptions & { className: string },
): Promise<string> {
  const flags = [...JVM_FLAGS, "-Xmx256m", "-Dlog4j2.level=ERROR"];
  const child = Bun.spawn([program.java, ...flags, "-cp", `${program.jars}/*`, className, ...args], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${className} ended with ${code}:\n${printed}${complaints}`);
  return printed;
}
