/**
 * A standalone Flink cluster: one JobManager, one TaskManager, on 127.0.0.1, its files in a temporary folder.
 *
 * In: nothing; Flink is installed where it is not. Out: a way to submit the scoring job, to kill the TaskManager and to start it
 * again. What is started ends with this process, however it ends. Never here: Kafka, what the job does.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runStep, type Report } from "../../runtime/provision/step.ts";
import { endLeftovers, MARK_VARIABLE } from "../../tests/leftovers.ts";
import { inNewFolder, removeFolder, startDaemon, type Daemon } from "../../tests/services/daemon.ts";
import { freePort } from "../../tests/services/port.ts";
import { clusterSettings } from "./cluster-settings.ts";
import { ensureFlink, type FlinkProgram } from "./install.ts";
import { memoryMbOf } from "./memory.ts";

export interface FlinkCluster {
  /** The JobManager's HTTP address. */
  readonly url: string;
  /** Submits the scoring job with these settings beside those of the machine; answers the job's id. About 15 s. */
  submit(settings: Readonly<Record<string, string>>): Promise<string>;
  /** The job's state as the JobManager knows it, such as RUNNING, and how many checkpoints it has completed. */
  job(id: string): Promise<{ readonly state: string; readonly checkpoints: number }>;
  /** Cancels the job and waits for its end. */
  cancel(id: string): Promise<void>;
  /** `kill -9`. What its Python workers leave is ended by the next start, or by `stop`. */
  killTaskManager(): Promise<void>;
  startTaskManager(): Promise<void>;
  /** Resident memory in MB, Python workers included. */
  memoryMb(): { readonly jobManager: number; readonly taskManager: number };
  /** What both wrote since they were started, for whoever looks for a reason. */
  output(): string;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 120_000;
const SUBMIT_WITHIN_MS = 180_000;
const LOOK_AGAIN_MS = 100;

/** @throws Error with the last lines of what did not start. */
export async function startFlink(report: Report): Promise<FlinkCluster> {
  const program = await ensureFlink(report);
  return await inNewFolder("cauce-flink-", (folder) => startIn({ program, folder, report }));
}

interface Work {
  readonly program: FlinkProgram;
  readonly folder: string;
  readonly report: Report;
}

async function startIn({ program, folder, report }: Work): Promise<FlinkCluster> {
  const ports = { rest: freePort(), rpc: freePort(), blob: freePort() };
  const url = `http://127.0.0.1:${ports.rest}`;
  const conf = join(folder, "conf");
  const stock = join(program.home, "conf");
  for (const part of ["checkpoints", "tmp", "log", "taskmanager"]) mkdirSync(join(folder, part));
  cpSync(stock, conf, { recursive: true });
  const settings = {
    folder,
    ports,
    python: program.python,
    stock: readFileSync(join(stock, "config.yaml"), "utf8"),
  };
  writeFileSync(join(conf, "config.yaml"), clusterSettings(settings));
  // Only what the job is made of is shipped to the cluster.
  const python = join(folder, "python");
  cpSync(join(import.meta.dir, "scoring"), join(python, "scoring"), { recursive: true });
  /** Of each TaskManager's processes: its Python workers are children that a `kill -9` leaves behind. */
  const marks: string[] = [];
  const env = environmentOf(program, folder);

  const start = (part: "jobmanager" | "taskmanager", isReady: () => Promise<boolean>): Promise<Daemon> =>
    startDaemon({
      name: `Flink's ${part}`,
      command: [join(program.home, `bin/${part}.sh`), "start-foreground"],
      env: part === "taskmanager" ? { ...env, [MARK_VARIABLE]: marks.at(-1) } : env,
      // Where this process is killed, the JobManager's supervisor removes the whole folder.
      folder: part === "jobmanager" ? folder : join(folder, part),
      isReady,
      readyWithinMs: READY_WITHIN_MS,
    });
  const taskManagers = async () => {
    const found = await ask<{ taskmanagers: readonly { id: string }[] }>(`${url}/taskmanagers`);
    return new Set(found?.taskmanagers.map(({ id }) => id) ?? []);
  };
  const jobManager = await start("jobmanager", async () => (await ask(`${url}/overview`)) !== null);
  let taskManager: Daemon | null = null;

  const cluster: FlinkCluster = {
    url,
    async submit(given) {
      const command = ["run", "-d", "-py", join(import.meta.dir, "job.py"), "-pyfs", python];
      const submitted = await runStep({
        title: "submitting the scoring job",
        command: [join(program.home, "bin/flink"), ...command],
        env: { ...env, ...given },
        cwd: folder,
        report,
        timeoutMs: SUBMIT_WITHIN_MS,
      });
      const id = /JobID ([0-9a-f]{32})/.exec(submitted.output)?.[1];
      if (submitted.ok && id !== undefined) return id;
      throw new Error(`the scoring job could not be submitted:\n${submitted.output}`);
    },
    async job(id) {
      const [job, checkpoints] = await Promise.all([
        ask<{ state: string }>(`${url}/jobs/${id}`),
        ask<{ counts: { completed: number } }>(`${url}/jobs/${id}/checkpoints`),
      ]);
      return { state: job?.state ?? "UNKNOWN", checkpoints: checkpoints?.counts.completed ?? 0 };
    },
    async cancel(id) {
      await fetch(`${url}/jobs/${id}`, { method: "PATCH" });
      while (!["CANCELED", "FAILED", "FINISHED", "UNKNOWN"].includes((await cluster.job(id)).state))
        await Bun.sleep(LOOK_AGAIN_MS);
    },
    async killTaskManager() {
      await taskManager?.end("SIGKILL");
      taskManager = null;
    },
    async startTaskManager() {
      const ended = endAll(marks.splice(0));
      marks.push(crypto.randomUUID());
      const known = await taskManagers();
      const isNew = async () => [...(await taskManagers())].some((id) => !known.has(id));
      taskManager = await start("taskmanager", isNew);
      await ended;
    },
    memoryMb: () => ({
      jobManager: memoryMbOf(jobManager.pid),
      taskManager: taskManager === null ? 0 : memoryMbOf(taskManager.pid),
    }),
    output: () => [jobManager, taskManager].map((one) => one?.output() ?? "").join("\n"),
    async stop() {
      await taskManager?.end("SIGTERM");
      await jobManager.end("SIGTERM");
      await endAll(marks);
      removeFolder(folder);
    },
  };
  try {
    await cluster.startTaskManager();
    return cluster;
  } catch (thrown) {
    await cluster.stop();
    throw thrown;
  }
}

async function endAll(marks: readonly string[]): Promise<void> {
  await Promise.all(marks.map(endLeftovers));
}

/** What Flink's scripts need of their surroundings; none of this shell's settings for the handlers. */
function environmentOf({ home, python, javaHome }: FlinkProgram, folder: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: process.env["HOME"] ?? folder,
    LANG: "C.UTF-8",
    JAVA_HOME: javaHome,
    FLINK_HOME: home,
    FLINK_CONF_DIR: join(folder, "conf"),
    FLINK_LOG_DIR: join(folder, "log"),
    FLINK_PID_DIR: folder,
    PYFLINK_PYTHON: python,
    PYFLINK_CLIENT_EXECUTABLE: python,
    TMPDIR: join(folder, "tmp"),
  };
}

/** Null while nobody answers. */
async function ask<Answer>(url: string): Promise<Answer | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? ((await response.json()) as Answer) : null;
  } catch {
    return null;
  }
}
