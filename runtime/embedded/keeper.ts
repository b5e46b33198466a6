/**
 * The way to the keeper: one detached process per state folder that holds the leases of all processes using embedded
 * parts, hosts the broker when one is wanted, and ends everything when the last lease is gone.
 *
 * In: a state folder. Out: a lease, which is an open WebSocket: the kernel closes it when its holder dies, however it
 * dies, and when the keeper dies the holder hears of it at once. Finding, starting and leasing happen under the
 * keeper's lock, and so does its end: nobody gets a lease from a keeper that is on its way out.
 * Never here: what the keeper does (keeper-process.ts).
 */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { pause, systemClock } from "../ground/clock.ts";
import { describeMs } from "../ground/duration.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import { commandLine } from "../provision/command-line.ts";
import { holdLock } from "../provision/lock.ts";
import type { Report } from "../provision/step.ts";
import { isProcess } from "./identity.ts";
import type { KeeperRecord } from "./keeper-record.ts";
import { openLease, STOPPED_CODE, type Lease } from "./lease.ts";
import { describeState, logSince, openState, prepareLog, readObject, sizeOf, type State } from "./state.ts";

export interface LeaseOptions {
  readonly stateDir: string;
  readonly report: Report;
  /** What the lease is for: the keeper looks after Postgres while someone holds one for it. */
  readonly holder: "postgres" | "broker";
  /** How long the keeper stays without any lease before it ends everything, in ms; only a new keeper takes it. */
  readonly graceMs?: number;
}

/** Long enough for a restart by hand (Ctrl-C, arrow up, return) to find the broker as it left it. */
export const GRACE_MS = 5_000;
const START_LIMIT_MS = 30_000;
const LOOK_MS = 5;
const RENEW_PAUSE_MS = 500;

const PROGRAM = join(import.meta.dir, "keeper-process.ts");

/** The arguments that only the keeper with this mark has; not its program's path, which differs between copies. */
export function keeperArguments(mark: string): readonly string[] {
  return [`--mark=${mark}`];
}

/** The live keeper of a state folder, or null: none, a dead one, or a stranger with its number. */
export function findKeeper(stateDir: string): KeeperRecord | null {
  const read = readObject(describeState(stateDir).keeper.file);
  if (read === null) return null;
  const { pid, mark, port, token } = read;
  if (typeof pid !== "number" || typeof mark !== "string") return null;
  if (typeof port !== "number" || typeof token !== "string") return null;
  return isProcess(pid, keeperArguments(mark)) ? { pid, mark, port, token } : null;
}

/**
 * Takes one lease, from the running keeper or from a new one (about 0.1 s).
 * @throws CauceError `embedded_failed` when the keeper does not start or does not answer.
 */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const state = openState(options.stateDir);
  const running = findKeeper(state.dir);
  const lease = running === null ? null : await openLease(running, options.holder);
  if (lease !== null) return lease;
  const lock = { path: state.keeper.lock, title: "starting the keeper", report: options.report };
  return holdLock(lock, async () => {
    const current = findKeeper(state.dir) ?? (await startKeeper(state, options));
    const taken = await openLease(current, options.holder);
    if (taken !== null) return taken;
    throw new CauceError(
      "embedded_failed",
      `the keeper of embedded services (process ${current.pid}) does not answer: end it with \`${commandLine("stop")}\``,
    );
  });
}

/**
 * A lease that takes another one when the keeper dies, until it is closed or everything was stopped by hand.
 * `close` resolves once a living keeper heard it: one that was killed at that moment ends nothing.
 */
export async function keepLease(options: LeaseOptions): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  let lease = await takeLease(options);
  let renewal = Promise.resolve();
  let closed: Promise<void> | null = null;
  const watch = (current: Lease) =>
    current.onGone((code) => {
      if (code !== STOPPED_CODE) renewal = renew();
    });
  const renew = async () => {
    while (!closing.signal.aborted) {
      try {
        lease = await takeLease(options);
        watch(lease);
        return;
      } catch (thrown) {
        options.report(`the keeper of embedded services is gone: ${messageOf(thrown)}`);
        await pause(systemClock, RENEW_PAUSE_MS, closing.signal);
      }
    }
  };
  const close = async () => {
    closing.abort();
    await renewal;
    if (await lease.close()) return;
    try {
      await (await takeLease(options)).close();
    } catch (thrown) {
      options.report(
        `no keeper ends what runs embedded (\`${commandLine("stop")}\` does): ${messageOf(thrown)}`,
      );
    }
  };
  watch(lease);
  return { close: () => (closed ??= close()) };
}

async function startKeeper(state: State, options: LeaseOptions): Promise<KeeperRecord> {
  const startMs = systemClock.monotonicMs();
  const mark = randomUUID();
  prepareLog(state.keeper.log);
  const logStart = sizeOf(state.keeper.log);
  const output = openSync(state.keeper.log, "a");
  const graceMs = String(options.graceMs ?? GRACE_MS);
  const child = Bun.spawn([process.execPath, PROGRAM, ...keeperArguments(mark), state.dir, graceMs], {
    cwd: state.keeper.dir,
    // No environment: the keeper needs none, and secrets of the process that starts it must not live on in it.
    env: { BUN_BE_BUN: "1" },
    detached: true,
    stdin: "ignore",
    stdout: output,
    stderr: output,
  });
  child.unref();
  closeSync(output);
  while (child.exitCode === null && child.signalCode === null) {
    const keeper = findKeeper(state.dir);
    if (keeper?.mark === mark) return keeper;
    if (systemClock.monotonicMs() - startMs > START_LIMIT_MS) child.kill("SIGKILL");
    await pause(systemClock, LOOK_MS);
  }
  const took = describeMs(systemClock.monotonicMs() - startMs);
  throw new CauceError(
    "embedded_failed",
    `the keeper of embedded services ended after ${took} before it was ready:\n${logSince(state.keeper.log, logStart)}`,
  );
}
