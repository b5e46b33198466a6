/**
 * The keeper's own process: `bun keeper-process.ts --mark=<mark> <state folder> <grace in ms>`.
 *
 * In: leases and calls through its control channel. Out: a broker while one is wanted, a Postgres that is started
 * again when it dies, and an orderly end of both when the last lease has been gone for the grace period, or at
 * SIGTERM. One process for both, because "is anyone still there?" must have one answer.
 * Never here: an end while someone holds a lease (except SIGTERM); a Postgres of another state folder.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { systemClock } from "../ground/clock.ts";
import { messageOf } from "../ground/errors.ts";
import { MockCluster } from "../kafka/mock.ts";
import { openLibrary } from "../kafka/symbols.ts";
import { holdLock } from "../provision/lock.ts";
import { HostedBroker } from "./hosted-broker.ts";
import { startControl, type Control } from "./keeper-control.ts";
import { findKeeper } from "./keeper.ts";
import { revivePostgres, stopPostgres } from "./postgres.ts";
import { openState, writeWhole, type State } from "./state.ts";

/** How often Postgres's process is looked at while someone needs it. */
const REVIVE_CHECK_MS = 1_000;
/** Who starts a keeper takes a lease at once; one that died before doing so is not waited for longer than this. */
const FIRST_LEASE_MS = 15_000;

class Keeper {
  readonly #mark: string;
  readonly #graceMs: number;
  readonly #state: State;
  readonly #broker: HostedBroker;
  readonly #control: Control;
  #cancelEnd: () => void = () => {};
  #ending = false;

  constructor(options: { readonly mark: string; readonly stateDir: string; readonly graceMs: number }) {
    this.#mark = options.mark;
    this.#graceMs = options.graceMs;
    this.#state = openState(options.stateDir);
    this.#broker = new HostedBroker((path) => MockCluster.start({ library: openLibrary(path) }));
    const token = randomBytes(24).toString("base64url");
    const changed = () => this.#planEnd(this.#graceMs);
    this.#control = startControl({ mark: this.#mark, token, broker: this.#broker, changed });
    const record = { pid: process.pid, mark: this.#mark, port: this.#control.port, token };
    writeWhole(this.#state.keeper.file, `${JSON.stringify(record, null, 2)}\n`);
    this.#planEnd(Math.max(this.#graceMs, FIRST_LEASE_MS));
    this.#planRevival();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void this.#end("told"));
  }

  /** The end is put off whenever a lease comes or goes. */
  #planEnd(delayMs: number): void {
    this.#cancelEnd();
    if (this.#control.leases() > 0) return;
    this.#cancelEnd = systemClock.after(delayMs, () => void this.#end("last one out"));
  }

  /**
   * Under the keeper's lock, where leases are taken when the quick way fails: whoever waits for it finds this keeper
   * either alive or gone, never in between. A state folder that was removed, or has another keeper, is left alone.
   */
  async #end(reason: "told" | "last one out"): Promise<void> {
    if (this.#ending) return;
    const lock = { path: this.#state.keeper.lock, title: "starting the keeper", report: say };
    try {
      if (this.#isOurs()) await holdLock(lock, () => this.#endAll(reason));
      else await this.#leave();
    } catch (thrown) {
      say(`the end went wrong: ${messageOf(thrown)}`);
      await this.#leave();
    }
  }

  async #endAll(reason: "told" | "last one out"): Promise<void> {
    if (this.#ending || (reason === "last one out" && this.#control.leases() > 0)) return;
    this.#ending = true;
    this.#control.refuse();
    say(`ending (${reason})`);
    try {
      const pid = await stopPostgres(this.#state.dir, say);
      if (pid !== null) say(`ended PostgreSQL (process ${pid})`);
    } catch (thrown) {
      say(`PostgreSQL could not be ended: ${messageOf(thrown)}`);
    }
    if (this.#isOurs()) rmSync(this.#state.keeper.file, { force: true });
    await this.#leave();
  }

  async #leave(): Promise<void> {
    this.#ending = true;
    await this.#broker.close();
    await this.#control.close();
    process.exit(0);
  }

  #isOurs(): boolean {
    return findKeeper(this.#state.dir)?.mark === this.#mark;
  }

  /** While someone uses Postgres and it died, it is started again, at the same port where that is free. */
  #planRevival(): void {
    systemClock.after(REVIVE_CHECK_MS, () => {
      void this.#revive().finally(() => this.#planRevival());
    });
  }

  async #revive(): Promise<void> {
    if (this.#ending || this.#control.leases("postgres") === 0 || !this.#isOurs()) return;
    try {
      if (await revivePostgres({ stateDir: this.#state.dir, report: say }))
        say("PostgreSQL had died: started again");
    } catch (thrown) {
      say(`PostgreSQL died and could not be started again: ${messageOf(thrown)}`);
    }
  }
}

/** Into `keeper/log`, which stderr is. */
function say(line: string): void {
  process.stderr.write(`${new Date(systemClock.nowMs()).toISOString()} ${line}\n`);
}

// The entry of a program: it works when it is run, never when it is imported.
if (import.meta.main) {
  const [mark = "", stateDir = "", graceMs = ""] = Bun.argv.slice(2);
  void new Keeper({ mark: mark.replace(/^--mark=/, ""), stateDir, graceMs: Number(graceMs) });
}
