/**
 * How the test broker is set up: server.properties and the log.
 *
 * In: a folder, a port, what a test wants otherwise. Out: texts of files. Never here: processes.
 */
import { join } from "node:path";
import { freePort } from "./port.ts";

/** A cluster id is 16 bytes in base64 without padding. */
export const CLUSTER_ID = "Q2F1Y2VUZXN0Q2x1c3Rlcg";

/** log4j2.properties: warnings, and the line that says that the broker is up. */
export const LOG_SETTINGS = `
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
`;

/** A further way to connect to the broker, such as one with TLS. */
export interface ExtraListener {
  /** Upper-case letters; settings for it begin with `listener.name.<lower-case name>.`. */
  readonly name: string;
  readonly protocol: "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  readonly port: number;
}

/** One node, quick groups, no waiting for members that will not come. */
export function serverProperties(work: {
  folder: string;
  port: number;
  settings: Readonly<Record<string, string>>;
  listeners?: readonly ExtraListener[];
}): string {
  const controllerPort = freePort();
  const extra = work.listeners ?? [];
  const open = [
    `PLAINTEXT://127.0.0.1:${work.port}`,
    ...extra.map(({ name, port }) => `${name}://127.0.0.1:${port}`),
  ];
  const protocols = extra.map(({ name, protocol }) => `${name}:${protocol}`);
  const settings: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: [...open, `CONTROLLER://127.0.0.1:${controllerPort}`].join(","),
    "advertised.listeners": open.join(","),
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", ...protocols].join(","),
    "log.dirs": join(work.folder, "data"),
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    // After kill -9 the broker may come back only when its old session has run out (9 s otherwise).
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    // The broker's least is 5 s otherwise, and so is the time until a member hears of a change.
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "6000",
    // The least is 6 s otherwise, and so is the wait for the partitions of a classic member that was killed.
    "group.min.session.timeout.ms": "1000",
    ...work.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
