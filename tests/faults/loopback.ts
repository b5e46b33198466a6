/**
 * What both proxies stand on: a TCP server on 127.0.0.1, and sockets that survive what is done to them.
 *
 * In: a port. Out: a server that listens. Never here: what becomes of a connection.
 */
import { createServer, type Server, type Socket } from "node:net";

/** Whoever takes connections says so in the turn in which this resolves: none is lost. Rejects where the port is taken. */
export async function listenOnLoopback(port: number): Promise<Server> {
  const listening = Promise.withResolvers<void>();
  const server = createServer();
  server.once("error", listening.reject);
  server.listen(port, "127.0.0.1", listening.resolve);
  await listening.promise;
  return server;
}

/** Sends at once; an error is no end of the process, since a close follows it. */
export function harden(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on("error", () => undefined);
}
