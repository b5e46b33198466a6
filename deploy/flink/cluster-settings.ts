/**
 * How the cluster is set up: config.yaml.
 *
 * In: a folder, ports, a Python that has Flink's packages, the distribution's own file. Out: the text. Never here: processes.
 */
import { join } from "node:path";

export interface ClusterPorts {
  readonly rest: number;
  readonly rpc: number;
  readonly blob: number;
}

/** Tasks that run side by side, and what the sources and sinks are split into. */
export const PARALLELISM = 2;
/** Loopback alone. */
const HOST = "127.0.0.1";

/** `stock` is the distribution's config.yaml: Java 17 needs the flags that stand there. */
export function clusterSettings(work: {
  folder: string;
  ports: ClusterPorts;
  python: string;
  stock: string;
}): string {
  const { folder, ports } = work;
  const settings: Record<string, string | number> = {
    "env.java.opts.all": javaFlags(work.stock),
    "jobmanager.rpc.address": HOST,
    "jobmanager.rpc.port": ports.rpc,
    "jobmanager.bind-host": HOST,
    "jobmanager.memory.process.size": "1000m",
    "taskmanager.host": HOST,
    "taskmanager.bind-host": HOST,
    "taskmanager.numberOfTaskSlots": PARALLELISM,
    "taskmanager.memory.process.size": "1500m",
    "parallelism.default": PARALLELISM,
    "python.executable": work.python,
    "python.client.executable": work.python,
    "blob.server.port": ports.blob,
    "rest.address": HOST,
    "rest.bind-address": HOST,
    "rest.port": ports.rest,
    "rest.bind-port": ports.rest,
    "execution.checkpointing.dir": `file://${join(folder, "checkpoints")}`,
    "io.tmp.dirs": join(folder, "tmp"),
    // A TaskManager that was killed is noticed after 16 s by default, after 2 to 3 s with these.
    "heartbeat.interval": 1_000,
    "heartbeat.timeout": 6_000,
    "heartbeat.rpc-failure-threshold": 2,
    "rest.flamegraph.enabled": "false",
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join("");
}

function javaFlags(stock: string): string {
  const parsed = Bun.YAML.parse(stock) as { env?: { java?: { opts?: { all?: string } } } } | null;
  const flags = parsed?.env?.java?.opts?.all;
  if (flags === undefined)
    throw new Error("Flink's own config.yaml has no flags for Java (env.java.opts.all)");
  return flags;
}
