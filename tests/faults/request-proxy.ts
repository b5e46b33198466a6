/**
 * A TCP proxy on 127.0.0.1 that knows where a Kafka request begins, and holds one back, or its answer.
 *
 * In: where to listen, where to lead to, which kind of request to wait for. Out: that request, to be sent on whenever a test likes:
 * after its client has given it up too, as a network does that keeps a packet for long. Never here: other protocols.
 */
import { createConnection, type Server, type Socket } from "node:net";
import { harden, listenOnLoopback } from "./loopback.ts";

/** Kafka's numbers for the requests that are held. */
export const REQUEST = { addPartitionsToTxn: 24, endTxn: 26, txnOffsetCommit: 28 } as const;
export type HeldRequest = keyof typeof REQUEST;

/** A request that has not reached the broker. What its client sends after it on this connection waits behind it. */
export interface Held {
  /** Ends the client's side of the connection: the client hears of it, the broker does not. */
  cut(): void;
  /** Resolves once the client has ended the connection, of itself or by `cut`. */
  readonly givenUp: Promise<void>;
  /** Sends it on. Resolves once the broker has answered it, or has ended the connection. */
  release(): Promise<void>;
}

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes of the request that is not whole yet. */
  rest: Buffer;
  /** What waits, once a request is held. */
  held: Buffer[] | null;
  /** Nothing that the broker says here reaches the client any more. */
  mute: boolean;
  readonly gone: PromiseWithResolvers<void>;
  readonly answered: PromiseWithResolvers<void>;
}

export class RequestProxy {
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  readonly #wanted = new Map<
    number,
    { readonly muted: boolean; readonly found: PromiseWithResolvers<Held> }
  >();

  static async listen({ port, target }: { port: number; target: number }): Promise<RequestProxy> {
    return new RequestProxy(await listenOnLoopback(port), target);
  }

  private constructor(server: Server, target: number) {
    this.#server = server;
    server.on("connection", (client: Socket) => this.#connect(client, target));
  }

  /** Holds the next request of this kind. Resolves once it has come. */
  holdNext(request: HeldRequest): Promise<Held> {
    const found = Promise.withResolvers<Held>();
    this.#wanted.set(REQUEST[request], { muted: false, found });
    return found.promise;
  }

  /** Lets the next request of this kind through, and no answer on its connection. Resolves once the broker has answered. */
  async muteNext(request: HeldRequest): Promise<void> {
    const found = Promise.withResolvers<Held>();
    this.#wanted.set(REQUEST[request], { muted: true, found });
    await (await found.promise).release();
  }

  close(): Promise<void> {
    for (const { client, server } of this.#lines) {
      client.destroy();
      server.destroy();
    }
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #connect(client: Socket, target: number): void {
    const server = createConnection({ host: "127.0.0.1", port: target });
    const [gone, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const line: Line = { client, server, rest: Buffer.alloc(0), held: null, mute: false, gone, answered };
    this.#lines.add(line);
    for (const socket of [client, server]) harden(socket);
    client.on("close", () => {
      gone.resolve();
      if (line.held === null) server.destroy();
    });
    server.on("close", () => {
      answered.resolve();
      client.destroy();
      this.#lines.delete(line);
    });
    client.on("data", (bytes: Buffer) => this.#asked(line, bytes));
    server.on("data", (bytes: Buffer) => {
      if (!client.destroyed && !line.mute) client.write(bytes);
      if (line.held !== null && line.held.length === 0) answered.resolve();
    });
  }

  /** A request is its length in 4 bytes, then its kind in 2. */
  #asked(line: Line, bytes: Buffer): void {
    line.rest = Buffer.concat([line.rest, bytes]);
    for (;;) {
      if (line.rest.byteLength < LENGTH_BYTES + API_BYTES) return;
      const end = LENGTH_BYTES + line.rest.readInt32BE();
      if (line.rest.byteLength < end) return;
      const request = line.rest.subarray(0, end);
      line.rest = line.rest.subarray(end);
      const api = request.readInt16BE(LENGTH_BYTES);
      const wanted = this.#wanted.get(api);
      if (line.held === null && wanted !== undefined) {
        this.#wanted.delete(api);
        line.held = [];
        line.mute = wanted.muted;
        wanted.found.resolve(heldOn(line));
      }
      if (line.held === null) line.server.write(request);
      else line.held.push(request);
    }
  }
}

function heldOn(line: Line): Held {
  return {
    cut: () => line.client.resetAndDestroy(),
    givenUp: line.gone.promise,
    release: async () => {
      // Answers to what came before are through by now: its client sends one request at a time here.
      for (const request of line.held?.splice(0) ?? []) line.server.write(request);
      await line.answered.promise;
      if (line.client.destroyed) line.server.destroy();
      else line.held = null;
    },
  };
}

const LENGTH_BYTES = 4;
const API_BYTES = 2;
