/** The proxy itself: what it does to connections must be what it says. */
import { afterEach, expect, test } from "bun:test";
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { freePort } from "../services/port.ts";
import { TcpProxy } from "./proxy.ts";

let server: Server;
let proxy: TcpProxy;

/** A connection through a new proxy to a server that sends everything back. */
async function connect(): Promise<{ socket: Socket; received: (length: number) => Promise<string> }> {
  server = createServer((peer: Socket) => {
    peer.on("error", () => undefined);
    peer.on("data", (bytes: Buffer) => peer.write(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = freePort();
  proxy = await TcpProxy.listen({ port, target: (server.address() as AddressInfo).port });
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  let text = "";
  const looks = new Set<() => void>();
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString();
    for (const look of looks) look();
  });
  const received = (length: number) =>
    new Promise<string>((resolve) => {
      const look = () => (text.length >= length ? resolve(text) : undefined);
      looks.add(look);
      look();
    });
  return { socket, received };
}

afterEach(async () => {
  await proxy.close();
  server.close();
});

test("passes everything on, in order, across changes of latency and cut into pieces", async () => {
  const { socket, received } = await connect();
  proxy.change({ latencyMs: 60 });
  socket.write("first ");
  await Bun.sleep(10);
  proxy.change({ pieceBytes: 2 });
  socket.write("second ");
  await Bun.sleep(10);
  proxy.change({});
  socket.write("third");
  expect(await received(18)).toBe("first second third");
});

test("holds back what it is told to hold, and brings it when it is released", async () => {
  const { socket, received } = await connect();
  for (const held of ["both", "to_server", "to_client"] as const) {
    const before = (await received(0)).length;
    proxy.change({ held });
    socket.write(held);
    await Bun.sleep(50);
    expect((await received(0)).length).toBe(before);
    proxy.change({});
    expect(await received(before + held.length)).toEndWith(held);
  }
});

test("a reset ends the connection on the client's side, and a new one works", async () => {
  const { socket, received } = await connect();
  socket.write("a");
  await received(1);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  expect(proxy.reset()).toBe(1);
  await closed;
});
