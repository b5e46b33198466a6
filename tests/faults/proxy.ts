/**
 * A TCP proxy on 127.0.0.1 that does to connections what networks do.
 *
 * In: where to listen, where to lead to. Out: a proxy whose weather can be changed at any time. What is held back is not
 * lost: it arrives later, as TCP's own repeats would bring it. Never here: Kafka.
 */
import { createConnection, type Server, type Socket } from "node:net";
import { harden, listenOnLoopback } from "./loopback.ts";

export interface Weather {
  /** Every piece of data arrives so much later. */
  readonly latencyMs?: number;
  /** Data is cut into pieces of at most so many bytes. */
  readonly pieceBytes?: number;
  /** Data in this direction stays where it is: `both` is a black hole, one alone a half-open connection. */
  readonly held?: "both" | "to_server" | "to_client";
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  /** What is still to be written to each socket. */
  readonly #tails = new WeakMap<Socket, Promise<void>>();
  #weather: Weather = {};

  static async listen({ port, target }: { port: number; target: number }): Promise<TcpProxy> {
    return new TcpProxy(await listenOnLoopback(port), target);
  }

  private constructor(server: Server, target: number) {
    this.#server = server;
    server.on("connection", (client: Socket) => this.#connect(client, target));
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** From now on; what is under way with a delay still arrives. */
  change(weather: Weather): void {
    this.#weather = weather;
    for (const pair of this.#pairs) this.#hold(pair);
  }

  /** Every connection ends with RST, on both sides. @returns how many there were. */
  reset(): number {
    const pairs = [...this.#pairs];
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    return pairs.length;
  }

  close(): Promise<void> {
    this.reset();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #connect(client: Socket, target: number): void {
    const server = createConnection({ host: "127.0.0.1", port: target });
    const pair = { client, server };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      harden(socket);
      socket.on("close", () => {
        this.#pairs.delete(pair);
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (bytes: Buffer) => this.#pass(bytes, server));
    server.on("data", (bytes: Buffer) => this.#pass(bytes, client));
    this.#hold(pair);
  }

  #hold({ client, server }: Pair): void {
    const { held } = this.#weather;
    if (held === "both" || held === "to_server") client.pause();
    else client.resume();
    if (held === "both" || held === "to_client") server.pause();
    else server.resume();
  }

  /** In order, also across a change of the weather. */
  #pass(bytes: Buffer, to: Socket): void {
    const { latencyMs = 0, pieceBytes = bytes.byteLength } = this.#weather;
    const dueMs = performance.now() + latencyMs;
    const before = this.#tails.get(to) ?? Promise.resolve();
    const write = async () => {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await Bun.sleep(waitMs);
      for (let at = 0; at < bytes.byteLength && !to.destroyed; at += pieceBytes) {
        to.write(bytes.subarray(at, at + pieceBytes));
      }
    };
    this.#tails.set(to, before.then(write));
  }
}
