/**
 * The HTTP door: one server for the application's routes and for those that operators ask.
 *
 * In: requests. Out: what a route answers, or problem details. Never here: what a route means, Kafka, Postgres.
 */
import { pause, type Clock, type Random } from "../ground/clock.ts";
import type { Log } from "../ground/log.ts";
import { startHeartbeat } from "../observe/heartbeat.ts";
import { buildDoor, type Answered } from "./door.ts";
import { listenCapped, newSocketName, type Capped, type ConnectionCaps } from "./connection-cap.ts";
import { endWith, isEventStream } from "./event-stream.ts";
import { holdable } from "./held-open.ts";
import { checkedLimits, type IngressLimits } from "./limits.ts";
import { isLoopback } from "./loopback.ts";
import { operatorGuard } from "./operator-guard.ts";
import type { Readiness } from "./operator-routes.ts";
import { isCauce, PortTaken } from "./port.ts";
import { problem } from "./problem.ts";
import type { Routes } from "./routes.ts";

export type { Answered } from "./door.ts";
export type { IngressLimits } from "./limits.ts";
export type { Readiness } from "./operator-routes.ts";

export interface IngressOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** Default 127.0.0.1: another host is a decision. */
  readonly hostname?: string;
  readonly routes?: Routes;
  readonly log: Log;
  /** The text of `/metrics`; null where another listener has it. */
  readonly metrics: (() => string | Promise<string>) | null;
  /** What operators must show to see it; see operator-guard.ts. Default: none, and off loopback nobody sees it. */
  readonly operatorToken?: string | undefined;
  /** Others reach it, and nothing but itself guards it. Default: unless it listens on loopback. */
  readonly exposed?: boolean;
  readonly ready: () => Readiness;
  readonly clock: Clock;
  /** For trace ids of requests that bring none. Default `Math.random`. */
  readonly random?: Random;
  readonly limits?: Partial<IngressLimits>;
  /** Called once per answered request, for metrics. */
  readonly answered?: (answered: Answered) => void;
  /** How long ago the event loop last turned. Default: the door measures for itself. */
  readonly heartbeat?: { ageMs(): number };
}

export interface Ingress {
  /** Where to ask, without a slash at the end: "http://127.0.0.1:8000". */
  readonly url: string;
  /** Stops listening, finishes requests in flight within `stopMs`, closes what is left. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Bodies above `bodyBytes` are refused by the door, in words, without reading them. This multiple is where the server
 * itself cuts off, so that a body nobody reads cannot pile up.
 */
const SERVER_BODY_FACTOR = 16;
const SMALLEST_SERVER_BODY_BYTES = 16_000_000;

/**
 * Opens the door.
 * @throws PortTaken (`unavailable`) when the port is in use; `byCauce` says whether another Cauce holds it.
 * @throws CauceError `config_invalid` for limits that cannot work.
 */
export async function startIngress(options: IngressOptions): Promise<Ingress> {
  const { port, hostname = "127.0.0.1", clock, log, random = Math.random } = options;
  const limits = checkedLimits(options.limits);
  const closing = new AbortController();
  const own = options.heartbeat ? null : startHeartbeat({ clock });
  const heartbeat = options.heartbeat ?? own;
  const guard = operatorGuard({
    token: options.operatorToken,
    exposed: options.exposed ?? !isLoopback(hostname),
    clock,
    log,
  });
  const door = buildDoor({ ...options, guard, random, limits, ageMs: () => heartbeat?.ageMs() ?? 0 });
  const caps = capsOf(limits);
  const behind = caps === null ? null : newSocketName();

  const idleSeconds = Math.ceil(limits.idleMs / 1_000);

  let server: Bun.Server<undefined> | null = null;
  let capped: Capped | null = null;
  try {
    server = Bun.serve({
      ...(behind === null ? { port, hostname } : { unix: behind }),
      development: false,
      // Two processes that share a port would each get half of the requests, in silence.
      reusePort: false,
      maxRequestBodySize: Math.max(limits.bodyBytes * SERVER_BODY_FACTOR, SMALLEST_SERVER_BODY_BYTES),
      idleTimeout: idleSeconds,
      async fetch(request, self) {
        if (closing.signal.aborted) return closed(limits);
        let held = false;
        holdable(request, () => {
          held = true;
          self.timeout(request, 0);
        });
        const response = await door(request);
        if (!isEventStream(response)) {
          if (held) self.timeout(request, idleSeconds);
          return response;
        }
        self.timeout(request, 0);
        return endWith(response, closing.signal);
      },
      error: () => problem(500, { title: "Internal error", detail: "the failure was logged" }),
    } as Bun.Serve.Options<undefined>);
    if (caps !== null && behind !== null)
      capped = listenCapped({ hostname, port, caps, behind, retryAfterS: limits.retryAfterS });
  } catch (thrown) {
    own?.stop();
    await server?.stop(true);
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE")) throw thrown;
    throw new PortTaken({ port, byCauce: await isCauce(addressOf(hostname, port), clock), cause: thrown });
  }

  const opened = server;
  const stop = async () => {
    closing.abort();
    capped?.stop(false);
    const done = new AbortController();
    const finished = opened.stop().then(() => done.abort());
    await Promise.race([finished, pause(clock, limits.stopMs, done.signal)]);
    if (!done.signal.aborted)
      log.warn("requests were cut off at the door's end", { requests: opened.pendingRequests });
    await opened.stop(true);
    capped?.stop(true);
    own?.stop();
  };
  let stopped: Promise<void> | null = null;
  return { url: addressOf(hostname, capped?.port ?? opened.port ?? port), stop: () => (stopped ??= stop()) };
}

/** Null where nothing is capped: then nothing stands between the server and the network. */
function capsOf({ connections, connectionsPerAddress }: IngressLimits): ConnectionCaps | null {
  if (connections === 0 && connectionsPerAddress === 0) return null;
  return { all: connections || Infinity, perAddress: connectionsPerAddress || Infinity };
}

/** A connection that was kept alive asks once more while the door closes. */
function closed({ retryAfterS }: IngressLimits): Response {
  return problem(503, {
    title: "Shutting down",
    detail: "ask again in a few seconds",
    headers: { "retry-after": String(retryAfterS), connection: "close" },
  });
}

/** An address that works from this machine, also where the door listens on all interfaces. */
function addressOf(hostname: string, port: number): string {
  const reachable =
    hostname === "0.0.0.0" || hostname === "" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
