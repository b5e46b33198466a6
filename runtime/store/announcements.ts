/**
 * Hears of rows that come earlier than known: LISTEN on a connection of its own, and a probe that it really delivers.
 *
 * In: an address to listen on, a way to notify by another connection. Out: a call per announcement, and one whenever
 * some may have been missed. A connection that says LISTEN and delivers nothing (a pooler in transaction mode) is
 * found out by the probe, said once, and bridged by calling every second. Never here: what is due.
 */
import type { Clock } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import { connections, type Connections, type Run } from "./connection.ts";
import { STORE_LIMITS, type StoreLimits } from "./limits.ts";
import { channelOf } from "./statements.ts";

export interface AnnouncementsOptions {
  /** Where LISTEN is said; a direct address where the other one leads through a pooler. */
  readonly url: string;
  readonly schema: string;
  readonly app: string;
  /** Sends the probe; must be another connection, by the address that the rest of the store uses. */
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<Pick<StoreLimits, "probeEveryMs" | "probeTimeoutMs" | "deafRecheckMs">>;
  readonly call: () => void;
  /** Called with a handler of which a key was fenced, or null when any may have been. */
  readonly raised: (handler: string | null) => void;
  /** Called with a handler that shall go on. */
  readonly resume: (handler: string) => void;
}

export interface Announcements {
  /** True while LISTEN does not deliver. */
  readonly deaf: boolean;
  close(): Promise<void>;
}

const PROBE = "probe:";
const LISTEN_AGAIN_MS = 500;

export function announcements(options: AnnouncementsOptions): Announcements {
  const { schema, app, run, clock, log } = options;
  const call = () => {
    options.call();
    options.raised(null);
  };
  const limits = { ...STORE_LIMITS, ...options.limits };
  const channel = channelOf(schema);
  const fenced = `fence:${app}/`;
  const resumed = `resume:${app}/`;
  const cancels = new Map<"listen" | "probe" | "verdict" | "deaf", () => void>();
  let awaited = "";
  let misses = 0;
  let deaf = false;
  let closed = false;
  const connection: Connections = connections({
    url: options.url,
    max: 1,
    name: "cauce listen",
    clock,
    notified: hear,
    ended: () => later("listen", LISTEN_AGAIN_MS, listen),
  });
  listen();

  function later(what: "listen" | "probe" | "verdict" | "deaf", delayMs: number, act: () => void): void {
    cancels.get(what)?.();
    if (!closed) cancels.set(what, clock.after(delayMs, act));
  }

  function listen(): void {
    connection.run(`LISTEN "${channel}"`).then(
      () => {
        // Something may have been announced before.
        if (!closed) call();
        probe();
      },
      () => later("listen", LISTEN_AGAIN_MS, listen),
    );
  }

  function hear(_: string, payload: string): void {
    if (closed) return;
    if (!payload.startsWith(PROBE)) {
      if (payload.startsWith(fenced)) options.raised(payload.slice(fenced.length));
      else if (payload.startsWith(resumed)) options.resume(payload.slice(resumed.length));
      else if (payload === "" || payload === app) options.call();
    } else if (payload === awaited) delivered();
  }

  function probe(): void {
    if (closed) return;
    awaited = PROBE + crypto.randomUUID();
    run("SELECT pg_notify($1, $2)", [channel, awaited]).then(
      () => {
        if (awaited !== "") later("verdict", limits.probeTimeoutMs, missed);
      },
      // The database is away: that says nothing about LISTEN.
      () => later("probe", limits.probeTimeoutMs, probe),
    );
  }

  function delivered(): void {
    awaited = "";
    misses = 0;
    cancels.get("verdict")?.();
    if (deaf) log.info("notifications of the schedule arrive again", { app });
    deaf = false;
    cancels.get("deaf")?.();
    later("probe", limits.probeEveryMs, probe);
  }

  /** Once may be a connection that died unnoticed: a new one is tried. Twice is a way that does not carry LISTEN. */
  function missed(): void {
    misses++;
    if (misses === 1) {
      connection.reset();
      return listen();
    }
    if (!deaf) {
      log.warn(
        "LISTEN delivers nothing, so the schedule is looked at every second instead; behind a pooler in transaction " +
          "mode give a direct address too",
        { app, recheckMs: limits.deafRecheckMs },
      );
      deaf = true;
      bridge();
    }
    later("probe", limits.probeEveryMs, probe);
  }

  function bridge(): void {
    if (closed || !deaf) return;
    call();
    later("deaf", limits.deafRecheckMs, bridge);
  }

  return {
    get deaf() {
      return deaf;
    },
    async close() {
      closed = true;
      for (const cancel of cancels.values()) cancel();
      await connection.close();
    },
  };
}
