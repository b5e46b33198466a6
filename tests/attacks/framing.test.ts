/** Requests that two readers could understand differently are answered 400 and their connection ends. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { routes } from "../../runtime/ingress/routes.ts";
import { startIngress, type Ingress } from "../../runtime/ingress/start.ts";
import { converse } from "./converse.ts";

const reached: string[] = [];
/** Once the server alone, once behind the counter of connections: it must change nothing. */
const doors: Ingress[] = [];

beforeAll(async () => {
  for (const connections of [0, 100])
    doors.push(
      await startIngress({
        port: 0,
        log: silentLog,
        clock: systemClock,
        metrics: () => "",
        ready: () => ({ ready: true, parts: {} }),
        limits: { connections },
        routes: routes((app) =>
          app
            .post("/ask", () => void reached.push("asked"))
            .get("/smuggled", () => void reached.push("smuggled")),
        ),
      }),
    );
});
afterAll(() => Promise.all(doors.map((door) => door.stop())));

const POST = "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
const GET = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
/** What an attacker hides behind a request: it must never be answered. */
const HIDDEN = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";

const BROKEN: readonly (readonly [what: string, bytes: string])[] = [
  ["a length and chunks", `${POST}Content-Length: 5\r\n${CHUNKED}0\r\n\r\n${HIDDEN}`],
  ["chunks and a length", `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${HIDDEN}`],
  ["two lengths", `${POST}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}${HIDDEN}`],
  ["a list of lengths", `${POST}Content-Length: 2, 40\r\n\r\n{}${HIDDEN}`],
  ["a length with a sign", `${POST}Content-Length: +2\r\n\r\n{}${HIDDEN}`],
  ["a negative length", `${POST}Content-Length: -1\r\n\r\n{}${HIDDEN}`],
  ["a hexadecimal length", `${POST}Content-Length: 0x2\r\n\r\n{}${HIDDEN}`],
  ["a length beyond 64 bits", `${POST}Content-Length: 99999999999999999999\r\n\r\n{}${HIDDEN}`],
  ["a blank before the colon", `${POST}Content-Length : 2\r\n\r\n{}${HIDDEN}`],
  ["another coding before chunked", `${POST}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
  ["another coding after chunked", `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${HIDDEN}`],
  ["a coding that only looks like chunked", `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
  [
    "two codings",
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${HIDDEN}`,
  ],
  [
    "a control character before the coding",
    `${POST}Transfer-Encoding:\u000bchunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  ],
  ["chunks in HTTP/1.0", `${POST.replace("1.1", "1.0")}${CHUNKED}0\r\n\r\n${HIDDEN}`],
  ["a line feed alone", `${GET}X-A: b\nTransfer-Encoding: chunked\r\n\r\n${HIDDEN}`],
  ["a carriage return alone", `${GET}X-A: b\rX-B: c\r\n\r\n${HIDDEN}`],
  ["a folded header", `${GET}X-A: b\r\n c\r\n\r\n${HIDDEN}`],
  ["NUL in a header", `${GET}X-A: b\0c\r\n\r\n${HIDDEN}`],
  ["NUL in a header's name", `${GET}X\0A: b\r\n\r\n${HIDDEN}`],
  ["no host", `GET /healthz HTTP/1.1\r\n\r\n${HIDDEN}`],
  ["a chunk beyond 64 bits", `${POST}${CHUNKED}FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n${HIDDEN}`],
  ["a negative chunk", `${POST}${CHUNKED}-2\r\n{}\r\n0\r\n\r\n${HIDDEN}`],
  ["a chunk longer than it says", `${POST}${CHUNKED}2\r\n{}XX0\r\n\r\n${HIDDEN}`],
  ["a line feed in a chunk's extension", `${POST}${CHUNKED}2;\n{}\r\n0\r\n\r\n${HIDDEN}`],
];

describe.each([
  ["the server alone", 0],
  ["the server behind the counter of connections", 1],
] as const)("%s", (_door, at) => {
  test.each(BROKEN)("refuses %s, closes, and answers nothing that is hidden behind", async (_, bytes) => {
    reached.length = 0;
    const { statuses, closed } = await converse(doors[at]?.url ?? "", bytes, "end");
    expect(closed).toBe(true);
    expect(statuses.every((status) => status === 400)).toBe(true);
    expect(reached.filter((what) => what === "smuggled")).toEqual([]);
  });

  test.each([
    ["1,000 headers", `${GET}${Array.from({ length: 1_000 }, (_, n) => `X-${n}: a\r\n`).join("")}\r\n`, 431],
    ["an address of 100 kB", `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ["another version", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 505],
    ["line feeds alone", "GET /smuggled HTTP/1.1\nHost: x\n\n", 505],
  ])("refuses %s and closes", async (_, bytes, status) => {
    reached.length = 0;
    const { statuses, closed } = await converse(doors[at]?.url ?? "", bytes, "end");
    expect([statuses, closed]).toEqual([[status], true]);
    expect(reached).toEqual([]);
  });

  test("two hosts are 400: two readers could take one each", async () => {
    const { statuses } = await converse(
      doors[at]?.url ?? "",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      1,
    );
    expect(statuses).toEqual([400]);
  });

  test("a body of a GET is a body and no request", async () => {
    reached.length = 0;
    const bytes = `${GET}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n`;
    const { statuses } = await converse(doors[at]?.url ?? "", bytes, 2);
    expect(statuses).toEqual([200, 404]);
    expect(reached).toEqual([]);
  });
});
