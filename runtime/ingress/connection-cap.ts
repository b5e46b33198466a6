/**
 * So many connections and no more, in all and from one address, in front of a server that cannot count them itself.
 *
 * In: TCP connections. Out: the same bytes to and from a server behind, on a socket of this machine; or, above a limit, 503 and
 * the end. It knows nothing of HTTP but that one answer. A side that does not take its bytes holds up the other one: nothing piles up here.
 * Never here: deadlines (the server's: a head must be there within about ten seconds, a body within `bodyMs`).
 */
import { randomUUID } from "node:crypto";

export interface ConnectionCaps {
  /** Connections at once. */
  readonly all: number;
  /** From one address. */
  readonly perAddress: number;
}

export interface CappedOptions {
  readonly hostname: string;
  readonly port: number;
  readonly caps: ConnectionCaps;
  /** Where the server behind listens. */
  readonly behind: string;
  readonly retryAfterS: number;
}

export interface Capped {
  readonly port: number;
  /** Connections now. */
  readonly connections: number;
  /** Connections that were sent away so far. */
  readonly refused: number;
  /** Takes no more; `true` also ends those that are open. */
  stop(all: boolean): void;
}

/** One end of a connection and what it has not taken yet. */
interface End {
  socket: Bun.Socket<Pair> | null;
  waiting: Uint8Array[];
  /** Nothing more comes from the other side. */
  ending: boolean;
}

interface Pair {
  readonly address: string;
  readonly client: End;
  readonly server: End;
  counted: boolean;
}

/** A name for a socket that lies in no folder. Linux alone has those. */
export function newSocketName(): string {
  return `\0cauce-door-${randomUUID()}`;
}

/** @throws what `Bun.listen` throws, such as an error with code EADDRINUSE. */
export function listenCapped({ hostname, port, caps, behind, retryAfterS }: CappedOptions): Capped {
  const byAddress = new Map<string, number>();
  const clients = new Set<Bun.Socket<Pair>>();
  let refused = 0;
  const refusal = refusalBytes(retryAfterS);

  const leave = (pair: Pair) => {
    if (!pair.counted) return;
    pair.counted = false;
    const left = (byAddress.get(pair.address) ?? 1) - 1;
    if (left === 0) byAddress.delete(pair.address);
    else byAddress.set(pair.address, left);
  };
  const behindHandlers: Bun.SocketHandler<Pair> = {
    open(socket) {
      const { server } = socket.data;
      server.socket = socket;
      drain(server, socket.data.client);
    },
    data: (socket, bytes) => pass(bytes, { from: socket.data.server, to: socket.data.client }),
    drain: (socket) => drain(socket.data.server, socket.data.client),
    close: (socket) => finish(socket.data.client),
    error: (socket) => void socket.end(),
    connectError: (socket) => finish(socket.data.client),
  };
  const listener = Bun.listen<Pair>({
    hostname,
    port,
    exclusive: true,
    socket: {
      open(socket) {
        const address = socket.remoteAddress;
        const mine = byAddress.get(address) ?? 0;
        const pair: Pair = { address, client: newEnd(socket), server: newEnd(null), counted: false };
        socket.data = pair;
        if (clients.size >= caps.all || mine >= caps.perAddress) {
          refused++;
          socket.end(refusal);
          return;
        }
        pair.counted = true;
        byAddress.set(address, mine + 1);
        clients.add(socket);
        Bun.connect<Pair>({ unix: behind, data: pair, socket: behindHandlers }).catch(() => socket.end());
      },
      data: (socket, bytes) => {
        if (socket.data.counted) pass(bytes, { from: socket.data.client, to: socket.data.server });
      },
      drain: (socket) => drain(socket.data.client, socket.data.server),
      close(socket) {
        clients.delete(socket);
        leave(socket.data);
        finish(socket.data.server);
      },
      error: (socket) => void socket.end(),
    },
  });
  return {
    port: listener.port,
    get connections() {
      return clients.size;
    },
    get refused() {
      return refused;
    },
    stop: (all) => listener.stop(all),
  };
}

function newEnd(socket: Bun.Socket<Pair> | null): End {
  return { socket, waiting: [], ending: false };
}

function pass(bytes: Uint8Array, { from, to }: { readonly from: End; readonly to: End }): void {
  const written = to.socket === null || to.waiting.length > 0 ? 0 : Math.max(0, to.socket.write(bytes));
  if (written === bytes.byteLength) return;
  // The buffer is the socket's own and is used again.
  to.waiting.push(bytes.slice(written));
  from.socket?.pause();
}

function drain(to: End, from: End): void {
  for (let bytes = to.waiting.shift(); bytes !== undefined; bytes = to.waiting.shift()) {
    const written = Math.max(0, to.socket?.write(bytes) ?? 0);
    if (written < bytes.byteLength) return void to.waiting.unshift(bytes.subarray(written));
  }
  if (to.ending) to.socket?.end();
  else from.socket?.resume();
}

/** The other side has closed: what waits is written, then this side ends. */
function finish(end: End): void {
  end.ending = true;
  if (end.waiting.length === 0) end.socket?.end();
}

function refusalBytes(retryAfterS: number): string {
  const body = JSON.stringify({
    type: "about:blank",
    title: "Too many connections",
    status: 503,
    detail: "close some of yours, or come back later",
  });
  const head = [
    "HTTP/1.1 503 Service Unavailable",
    "content-type: application/problem+json",
    "cache-control: no-store",
    `retry-after: ${retryAfterS}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
