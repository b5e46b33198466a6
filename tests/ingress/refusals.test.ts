/**
 * Everything that is not a body: paths, methods, headers, failures inside a route.
 */
import { afterEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { CauceError } from "../../runtime/ground/errors.ts";
import { Elysia, routes } from "../../runtime/ingress/routes.ts";
import { problem } from "../../runtime/ingress/problem.ts";
import { givenDoor, recordingLog } from "./given-door.ts";
import { sendRaw } from "./send-raw.ts";

const environment = { ...process.env };

afterEach(() => {
  for (const name of ["NODE_ENV", "SECRET_CANARY"]) {
    const was = environment[name];
    if (was === undefined) delete process.env[name];
    else process.env[name] = was;
  }
});

describe("addresses", () => {
  test("an unknown path is 404", async () => {
    const { get } = await givenDoor();
    const answer = await get("/nowhere");
    expect([answer.status, answer.problem?.status]).toEqual([404, 404]);
  });

  test("a known path with the wrong method is 405 and tells which are right", async () => {
    const { get } = await givenDoor();
    for (const method of ["GET", "DELETE", "PUT"]) {
      const answer = await get("/ask", { method });
      expect(answer.status).toBe(405);
      expect(answer.headers.get("allow")).toBe("POST");
    }
    expect((await get("/healthz", { method: "POST" })).headers.get("allow")).toBe("GET, HEAD");
  });

  test("OPTIONS tells the methods", async () => {
    const { get } = await givenDoor();
    const answer = await get("/ask", { method: "OPTIONS" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([204, "POST"]);
  });

  test.each(["/ask/%00", "/ask?q=%00", "/ask/%ff", "/ask/%zz", "/ask/%ED%A0%80"])(
    "an unreadable one is 400: %s",
    async (path) => {
      const { door } = await givenDoor();
      const answer = await sendRaw(door.url, [`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`]);
      expect(answer).toStartWith("HTTP/1.1 400");
      expect(answer).toContain("application/problem+json");
    },
  );

  test.each(["x", "db", "api:8000", "localhost", "a.very.long.name.example:80", "[::1]:8000"])(
    "the path is found behind every host, also a short one: %s",
    async (host) => {
      const { door } = await givenDoor();
      const answer = await sendRaw(door.url, [`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`]);
      expect(answer).toStartWith("HTTP/1.1 200");
    },
  );

  test.each(["", "a/healthz", "a:99999", "[::1", "a b", "%00", "x\\y", "user:pw@x"])(
    "a host header that names no host is 400: %p",
    async (host) => {
      const { log, lines } = recordingLog();
      const { door } = await givenDoor({ log });
      const answer = await sendRaw(door.url, [`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`]);
      expect(answer).toStartWith("HTTP/1.1 400");
      expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    },
  );

  test.each([
    ["two lengths", "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
    [
      "a length and chunks",
      "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a negative length", "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"],
    ["100 kB of headers", `GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(100_000)}\r\n\r\n`],
    ["no HTTP at all", "\u0016\u0003\u0001\u0002hello\r\n\r\n"],
  ])("a request with %s is refused and the door goes on", async (_, bytes) => {
    const { door, reached, get } = await givenDoor();
    const answer = await sendRaw(door.url, [bytes]);
    expect(answer).not.toMatch(/^HTTP\/1\.1 [25]00/);
    expect(reached).toEqual([]);
    expect((await get("/healthz")).status).toBe(200);
  });
});

const failing = (thrown: unknown) => routes((app) => app.get("/fail", () => Promise.reject(thrown)));
const taken = () =>
  problem(409, {
    title: "Taken",
    errors: [{ field: "id", message: "is taken" }],
    headers: { "x-a": "b" },
  });

describe("failures inside a route", () => {
  test("an unexpected error is 500 without a word of it, and is logged, with NODE_ENV unset", async () => {
    delete process.env["NODE_ENV"];
    process.env["SECRET_CANARY"] = "canary-in-the-environment";
    const { log, lines } = recordingLog();
    const { get } = await givenDoor({ log, routes: failing(new Error("canary-in-the-message")) });
    const answer = await get("/fail");
    expect(answer.status).toBe(500);
    expect(answer.problem).toEqual({
      type: "about:blank",
      title: "Internal error",
      status: 500,
      detail: "the failure was logged",
    } as never);
    expect(answer.text).not.toContain("canary");
    expect(answer.text).not.toContain(".ts");
    expect(lines.find(({ level }) => level === "error")?.fields["error"]).toBeInstanceOf(Error);
  });

  test.each([undefined, null, "text", 42, { status: 200, message: "canary" }, Object.create(null)])(
    "whatever is thrown is 500: %p",
    async (thrown) => {
      const { get } = await givenDoor({ routes: failing(thrown) });
      const answer = await get("/fail");
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain("canary");
    },
  );

  test.each(["unavailable", "broker"] as const)("%s is 503 with a time to come back", async (code) => {
    const { get } = await givenDoor({
      routes: failing(new CauceError(code, "canary")),
      limits: { retryAfterS: 7 },
    });
    const answer = await get("/fail");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("7");
    expect(answer.text).not.toContain("canary");
  });

  test("a route's own answer that does not satisfy its schema is 500, not the caller's fault", async () => {
    const { log, lines } = recordingLog();
    const { get } = await givenDoor({
      log,
      routes: routes((app) =>
        app.get("/fail", () => ({ n: "canary" }) as never, {
          response: { 200: v.object({ n: v.number() }) },
        }),
      ),
    });
    const answer = await get("/fail");
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("canary");
    expect(lines.some(({ level, event }) => level === "error" && event.includes("schema"))).toBe(true);
  });

  test("a problem that a route answers goes out as it is, declared responses or not", async () => {
    const { get } = await givenDoor({
      routes: routes((app) =>
        app
          .get("/a", taken)
          .get("/b", taken as () => never, { response: { 200: v.object({ n: v.number() }) } }),
      ),
    });
    for (const path of ["/a", "/b"]) {
      const answer = await get(path);
      expect(answer.status).toBe(409);
      expect(answer.headers.get("x-a")).toBe("b");
      expect(answer.problem?.errors).toEqual([{ field: "id", message: "is taken" }]);
    }
  });

  test("query and path are validated like bodies", async () => {
    const { get } = await givenDoor({
      routes: routes((app) =>
        app.get("/list/:kind", ({ query }) => query, {
          params: v.object({ kind: v.picklist(["a", "b"]) }),
          query: v.object({ page: v.pipe(v.string(), v.regex(/^\d+$/, "expected a number")) }),
        }),
      ),
    });
    expect((await get("/list/a?page=x")).problem?.errors).toEqual([
      { field: "page", message: "expected a number" },
    ]);
    const answer = await get("/list/c?page=1");
    expect([answer.status, answer.problem?.errors?.[0]?.field]).toEqual([422, "kind"]);
    expect((await get("/list/a?page=1")).status).toBe(200);
  });

  test("routes of a plugin are guarded like all others", async () => {
    const plugin = new Elysia().post("/plugged", ({ body }) => body, {
      body: v.looseObject({ n: v.number() }),
    });
    const { post } = await givenDoor({ routes: routes((app) => app.use(plugin)) });
    expect((await post("/plugged", '{"n":1}')).status).toBe(200);
    expect((await post("/plugged", '{"n":1,"t":"\\u0000"}')).status).toBe(400);
    expect((await post("/plugged", '{"n":"\\u0000"}')).status).toBe(400);
    expect((await post("/plugged", '{"n":"x"}')).problem?.errors?.[0]?.field).toBe("n");
    expect((await post("/plugged", "x", { "content-type": "text/plain" })).status).toBe(415);
  });
});

test("each answered request is told once, by its declared route and never by the asked path", async () => {
  const told: string[] = [];
  const { get, post } = await givenDoor({
    routes: routes((app) =>
      app.get("/things/:id", ({ params }) => params.id).post("/things", ({ body }) => body),
    ),
    answered: ({ method, route, status }) => told.push(`${method} ${route} ${status}`),
  });
  await get("/things/7");
  await get("/things/8");
  await post("/things", "{");
  await get("/unknown/secret-id");
  expect(told).toEqual([
    "GET /things/:id 200",
    "GET /things/:id 200",
    "POST /things 400",
    "GET unmatched 404",
  ]);
});
