/**
 * A plain TCP client for requests that `fetch` would not send.
 */
import { connect } from "node:net";

/**
 * Sends bytes over TCP as they are and answers with what came back until the server closed or had answered `answers`
 * times. Bytes that can no longer be sent are dropped.
 */
export function sendRaw(url: string, parts: Iterable<string | Uint8Array>, answers = 1): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let received = "";
    const finish = () => {
      socket.destroy();
      resolve(received);
    };
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (received.split("HTTP/1.1 ").length > answers && /\r\n\r\n[^]*\}$/.test(received)) finish();
    });
    socket.on("close", finish);
    // A reset while sending is expected: the server has answered and does not read the rest.
    socket.on("error", () => {});
    const iterator = parts[Symbol.iterator]();
    const send = () => {
      for (;;) {
        const { done, value } = iterator.next();
        if (done || socket.destroyed) return;
        if (!socket.write(value)) {
          socket.once("drain", send);
          return;
        }
      }
    };
    socket.once("connect", send);
  });
}
