/** Slow and many connections: each has its time in all, and there are only so many, while others are served. */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { givenDoor, type Given } from "../ingress/given-door.ts";

const sockets: Socket[] = [];
const drips: Timer[] = [];
afterEach(() => {
  for (const drip of drips.splice(0)) clearInterval(drip);
  for (const socket of sockets.splice(0)) socket.destroy();
});

interface Slow {
  /** Resolves with what came when the server has closed. */
  readonly closed: Promise<string>;
  readonly answered: Promise<void>;
}

/** Sends a beginning, then a byte again and again, for as long as the server takes it. */
function dripping(url: string, beginning: string, everyMs = 250): Slow {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  sockets.push(socket);
  const closed = Promise.withResolvers<string>();
  const answered = Promise.withResolvers<void>();
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    answered.resolve();
  });
  socket.on("error", () => {});
  socket.on("close", () => closed.resolve(text));
  if (beginning !== "") socket.write(beginning);
  drips.push(setInterval(() => socket.writable && socket.write("a"), everyMs));
  return { closed: closed.promise, answered: answered.promise };
}

const HEAD = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ";
const BODY =
  "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
const CHUNKS =
  "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n";

const healthy = async ({ get }: Given) => (await get("/healthz", { keepalive: false })).status;

describe.each([
  ["the server alone", {}],
  ["behind the counter of connections", { connections: 100 }],
])("%s", (_door, caps) => {
  test("a head that comes byte by byte is cut off in all, however often a byte comes; others are served", async () => {
    const given = await givenDoor({ limits: { ...caps, idleMs: 3_000 } });
    const slow = [
      dripping(given.door.url, HEAD),
      dripping(given.door.url, "G"),
      // After one good request, on the same connection: there the idle limit counts, and no byte of a head puts it off.
      dripping(given.door.url, `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n${HEAD}`),
    ];
    expect(await healthy(given)).toBe(200);
    // Bun's own limit for heads is ten seconds, looked at every four.
    await Promise.all(slow.map(({ closed }) => closed));
    expect(await healthy(given)).toBe(200);
  });

  test.each([
    ["with a length", BODY],
    ["in chunks", CHUNKS],
  ])("a body that comes byte by byte, %s, is 408 when its time is over, and closed", async (_, beginning) => {
    const given = await givenDoor({ limits: { ...caps, bodyMs: 600 } });
    const slow = dripping(given.door.url, beginning, 50);
    expect(await healthy(given)).toBe(200);
    expect(await slow.closed).toStartWith("HTTP/1.1 408");
    expect(given.reached).toEqual([]);
  });
});

describe("the counter of connections", () => {
  test("answers 503 above its limit, closes, and lets in again when there is room", async () => {
    const given = await givenDoor({ limits: { connections: 3, retryAfterS: 7 } });
    const ok = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    const holding = [1, 2, 3].map(() => dripping(given.door.url, ok, 60_000));
    await Promise.all(holding.map(({ answered }) => answered));
    const refused = await dripping(given.door.url, ok, 60_000).closed;
    expect(refused).toStartWith("HTTP/1.1 503");
    expect(refused).toContain("retry-after: 7");
    expect(refused).toContain("application/problem+json");
    sockets[0]?.destroy();
    for (let status = 503; status !== 200;) status = await healthy(given).catch(() => 503);
  });

  test("counts by address: one that takes all it may leaves room for the others", async () => {
    const given = await givenDoor({ limits: { connections: 100, connectionsPerAddress: 2 } });
    const ok = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    const holding = [1, 2].map(() => dripping(given.door.url, ok, 60_000));
    await Promise.all(holding.map(({ answered }) => answered));
    expect(await dripping(given.door.url, ok, 60_000).closed).toStartWith("HTTP/1.1 503");
    const other = connect({
      port: Number(new URL(given.door.url).port),
      host: "127.0.0.1",
      localAddress: "127.0.0.9",
    });
    sockets.push(other);
    const answer = new Promise<string>((resolve) => other.once("data", (chunk) => resolve(chunk.toString())));
    other.write(ok);
    expect(await answer).toStartWith("HTTP/1.1 200");
  });

  test("carries bodies and answers of any size both ways, whole", async () => {
    const given = await givenDoor({ limits: { connections: 10 } });
    const title = "x".repeat(800_000);
    const answer = await given.post("/ask", JSON.stringify({ title }));
    expect(answer.status).toBe(200);
    expect(given.reached).toEqual([{ title }]);
    expect(answer.text).toContain(title);
  });

  test("ends with the door", async () => {
    const given = await givenDoor({ limits: { connections: 10 } });
    const held = dripping(given.door.url, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 60_000);
    await held.answered;
    await given.door.stop();
    await held.closed;
    expect(await healthy(given).catch(() => "closed")).toBe("closed");
  });
});
