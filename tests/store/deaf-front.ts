/**
 * A way to Postgres that looks sound and swallows notifications, as a pooler in transaction mode does.
 *
 * In: a database's address. Out: the same by way of 127.0.0.1. What Postgres answers is cut into its messages, and those that say
 * NOTIFY are dropped while it is deaf. Never here: TLS, other people's passwords.
 */
import { createConnection, createServer, type Socket } from "node:net";

export interface DeafFront {
  readonly url: string;
  /** From now on, do notifications come through? At the start they do not. */
  hear(on: boolean): void;
  /** Connections that are open now are half-open from here on: nothing more comes back by them. Later ones work. */
  freeze(): void;
  /** Connections that were opened so far. */
  readonly opened: number;
  close(): void;
}

/** The type of NotificationResponse. */
const NOTIFICATION = "A".charCodeAt(0);

export async function deafFront(url: string): Promise<DeafFront> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let frozen = new Set<Socket>();
  let hearing = false;
  let opened = 0;
  const server = createServer((client) => {
    opened++;
    const onward = createConnection({ host: target.hostname, port: Number(target.port) });
    for (const each of [client, onward]) {
      sockets.add(each);
      each.on("error", () => undefined).on("close", () => sockets.delete(each));
    }
    const messages = cutter();
    client.on("data", (data) => void onward.write(data));
    onward.on("data", (data: Buffer) => {
      if (frozen.has(client)) return;
      for (const message of messages(data)) if (hearing || message[0] !== NOTIFICATION) client.write(message);
    });
    client.on("close", () => onward.destroy());
    onward.on("close", () => client.destroy());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const through = new URL(url);
  through.port = String(typeof address === "object" && address ? address.port : 0);
  return {
    url: through.href,
    hear: (on) => void (hearing = on),
    freeze: () => void (frozen = new Set(sockets)),
    get opened() {
      return opened;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Whole messages: a type, a length of four bytes that counts itself, and so much less four. */
function cutter(): (data: Buffer) => readonly Buffer[] {
  let rest = Buffer.alloc(0);
  return (data) => {
    rest = Buffer.concat([rest, data]);
    const whole: Buffer[] = [];
    while (rest.length >= 5) {
      const end = 1 + rest.readUInt32BE(1);
      if (rest.length < end) break;
      whole.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return whole;
  };
}
