/**
 * Bytes to a server as they are, and what it does with them.
 *
 * In: an address, bytes. Out: the statuses of its answers, and whether it has closed the connection. Never here: HTTP as it should be.
 */
import { connect } from "node:net";

export interface Conversation {
  readonly statuses: readonly number[];
  readonly text: string;
  /** The server ended it. */
  readonly closed: boolean;
}

/** Resolves when the server has closed, or, with a number, when so many answers have begun and their heads are whole. */
export function converse(
  url: string,
  bytes: string | Uint8Array,
  until: number | "end",
): Promise<Conversation> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    const finish = (closed: boolean) => {
      socket.destroy();
      resolve({ statuses: statusesIn(text), text, closed });
    };
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (until !== "end" && statusesIn(text).length >= until) finish(false);
    });
    socket.on("close", () => finish(true));
    // A reset is an end too.
    socket.on("error", () => {});
  });
}

function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/g)].map(([, status]) =>
    Number(status),
  );
}
