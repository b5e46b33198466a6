/**
 * The keeper's control channel: HTTP and WebSocket on a loopback port, for holders of the token alone.
 *
 * In: `GET /lease` (becomes a lease), `PUT /broker`, `PUT /topics`, `GET /broker`. Out: JSON, or an error in words.
 * A lease never times out by silence: a stopped (SIGSTOP) process keeps it, a dead one loses it at once.
 * Never here: decisions about what ends when.
 */
import { timingSafeEqual } from "node:crypto";
import type { TopicPlan } from "../bus/bus.ts";
import { CauceError, messageOf } from "../ground/errors.ts";
import type { HostedBroker } from "./hosted-broker.ts";
import { STOPPED_CODE } from "./lease.ts";
import { isObject } from "./state.ts";

export interface ControlOptions {
  readonly mark: string;
  readonly token: string;
  readonly broker: HostedBroker;
  /** Called after each lease that came or went. */
  readonly changed: () => void;
}

export interface Control {
  readonly port: number;
  /** Open leases for this purpose, or all. */
  leases(holder?: string): number;
  /** From now on nobody gets a lease. */
  refuse(): void;
  /** Closes all leases (holders hear that this was on purpose) and the port. */
  close(): Promise<void>;
}

const LARGEST_BODY_BYTES = 1024 * 1024;

interface Holder {
  readonly holder: string;
}

/** Listens on 127.0.0.1, on a port of the system's choice. */
export function startControl(options: ControlOptions): Control {
  const leases = new Set<Bun.ServerWebSocket<Holder>>();
  let refusing = false;
  const server = Bun.serve<Holder>({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    maxRequestBodySize: LARGEST_BODY_BYTES,
    async fetch(request, self) {
      if (!isAllowed(request, options.token)) return new Response("wrong token", { status: 401 });
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/lease") {
        if (refusing) return new Response("this keeper is ending", { status: 503 });
        const holder = searchParams.get("for") ?? "";
        return self.upgrade(request, { data: { holder } })
          ? undefined
          : new Response("no WebSocket", { status: 400 });
      }
      return answer(request, { pathname, broker: options.broker });
    },
    error: (thrown) => new Response(messageOf(thrown), { status: 500 }),
    websocket: {
      idleTimeout: 0,
      open(socket) {
        leases.add(socket);
        socket.send(options.mark);
        options.changed();
      },
      message() {},
      close(socket) {
        leases.delete(socket);
        options.changed();
      },
    },
  });
  return {
    port: server.port ?? 0,
    leases: (holder) =>
      [...leases].filter(({ data }) => holder === undefined || data.holder === holder).length,
    refuse() {
      refusing = true;
    },
    async close() {
      refusing = true;
      for (const socket of leases) socket.close(STOPPED_CODE, "stopped");
      await server.stop(true);
    },
  };
}

async function answer(
  request: Request,
  { pathname, broker }: { readonly pathname: string; readonly broker: HostedBroker },
): Promise<Response> {
  const asked = `${request.method} ${pathname}`;
  try {
    if (asked === "GET /broker") return Response.json({ topics: broker.topics() });
    if (asked === "PUT /broker") return Response.json(await broker.open(readLibrary(await request.json())));
    if (asked === "PUT /topics")
      return Response.json(await broker.createTopics(readPlans(await request.json())));
    return new Response(`the keeper does not know ${asked}`, { status: 404 });
  } catch (thrown) {
    return new Response(messageOf(thrown), { status: thrown instanceof CauceError ? 422 : 500 });
  }
}

/**
 * The token comes as a bearer header, or in the address where a WebSocket is opened (browsers' WebSocket takes no
 * headers). Compared in constant time: the port is open to every user of this machine.
 */
function isAllowed(request: Request, token: string): boolean {
  const bearer = request.headers.get("authorization")?.replace(/^Bearer /, "");
  const came = new TextEncoder().encode(bearer ?? new URL(request.url).searchParams.get("token") ?? "");
  const wanted = new TextEncoder().encode(token);
  return came.length === wanted.length && timingSafeEqual(came, wanted);
}

function readLibrary(body: unknown): string {
  if (isObject(body) && typeof body["library"] === "string") return body["library"];
  throw new CauceError("embedded_failed", `expected {"library": "<path>"}, not ${JSON.stringify(body)}`);
}

function readPlans(body: unknown): readonly TopicPlan[] {
  if (!Array.isArray(body)) throw new CauceError("embedded_failed", "expected a list of topic plans");
  return (body as readonly unknown[]).map((plan) => {
    const { name, partitions, provision } = isObject(plan) ? plan : {};
    const known = provision === "create" || provision === "verify" || provision === "none";
    if (typeof name === "string" && typeof partitions === "number" && known)
      return { name, partitions, provision };
    throw new CauceError("embedded_failed", `this is no topic plan: ${JSON.stringify(plan)}`);
  });
}
