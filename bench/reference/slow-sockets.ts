/**
 * Holds connections open that send the head of a request byte by byte, and opens each anew when it is closed.
 *
 * In: the work as JSON: a port, how many, from how many addresses of this machine. Out: `ready` when all are open. Ends with its starter.
 */
import { connect } from "node:net";

export interface SlowWork {
  readonly port: number;
  readonly sockets: number;
  readonly addresses: number;
}

const BYTE_EVERY_MS = 5_000;

const work = JSON.parse(process.argv[2] ?? "") as SlowWork;
process.stdin.on("end", () => process.exit(1)).resume();
let opened = 0;

function open(at: number): void {
  const socket = connect({
    port: work.port,
    host: "127.0.0.1",
    localAddress: `127.0.0.${2 + (at % work.addresses)}`,
  });
  socket.on("connect", () => {
    socket.write("POST /query HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    if (++opened === work.sockets) process.stdout.write("ready\n");
  });
  const drip = setInterval(() => socket.writable && socket.write("a"), BYTE_EVERY_MS);
  socket.on("error", () => {});
  socket.on("close", () => {
    clearInterval(drip);
    setTimeout(open, 100, at);
  });
}

for (let at = 0; at < work.sockets; at++) open(at);
