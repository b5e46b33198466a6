import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Redis } from "@upstash/redis";
import { startUpstashFront, type UpstashFront } from "../../deploy/upstash-front.ts";
import { startRedis, type OwnRedisServer } from "../services/redis.ts";
import { eventually, silent } from "./stage.ts";

setDefaultTimeout(60_000);

const TOKEN = "correct";
let server: OwnRedisServer;
let front: UpstashFront;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis(silent);
  front = startUpstashFront({ redisUrl: server.url, token: TOKEN });
  redis = new Redis({ url: front.url, token: TOKEN, retry: false });
}, 300_000);

afterAll(async () => {
  await front.close();
  await server.stop();
});

/** What comes back on the wire, without the client's own decoding. */
async function post(
  path: string,
  body: string,
  headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` },
): Promise<readonly [status: number, body: unknown]> {
  const response = await fetch(`${front.url}${path}`, { method: "POST", body, headers });
  return [response.status, await response.json()];
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (thrown: unknown) => String(thrown),
  );
}

test("stores and answers texts, numbers and objects through the Upstash client", async () => {
  expect(await redis.set("object", { answer: "¿Qué? 😀", score: 8.2 })).toBe("OK");
  expect(await redis.get<unknown>("object")).toEqual({ answer: "¿Qué? 😀", score: 8.2 });
  await redis.set("number", 42);
  expect(await redis.get<number>("number")).toBe(42);
  expect(await redis.get("absent")).toBeNull();
  expect(await redis.mget("number", "absent")).toEqual([42, null]);
  expect(await redis.incr("counter")).toBe(1);
  expect(await redis.del("number", "absent")).toBe(1);
  expect(await redis.ping()).toBe("PONG");
});

test("keeps every text as it is: other scripts, control characters, base64 look-alikes, OK", async () => {
  const raw = new Redis({ url: front.url, token: TOKEN, automaticDeserialization: false });
  const plain = new Redis({
    url: front.url,
    token: TOKEN,
    automaticDeserialization: false,
    responseEncoding: false,
  });
  for (const text of [
    "日本語 ñ é 👩‍👩‍👧",
    "\u0000\u0001\u001f\u007f\u0080ÿ",
    "T0s=",
    "OK",
    "",
    '"',
    "a\r\n$3\r\nb",
    "x".repeat(100_000),
  ]) {
    await raw.set("text", text);
    expect(await raw.get<string>("text")).toBe(text);
    expect(await plain.get<string>("text")).toBe(text);
  }
});

test("lives and conditions of SET are Redis's own", async () => {
  await redis.set("ex", 1, { ex: 100 });
  expect(await redis.ttl("ex")).toBeWithin(99, 101);
  await redis.set("px", 1, { px: 100_000 });
  expect(await redis.pttl("px")).toBeWithin(90_000, 100_001);
  expect(await redis.ttl("absent")).toBe(-2);
  expect(await redis.set("ex", 2, { nx: true })).toBeNull();
  expect(await redis.get<number>("ex")).toBe(1);
});

test("flat lists and numbers as text, as Upstash sends them", async () => {
  await redis.del("h", "z");
  await redis.hset("h", { field: "one", other: 2 });
  expect(await redis.hgetall<Record<string, unknown>>("h")).toEqual({ field: "one", other: 2 });
  await redis.zadd("z", { score: 1.5, member: "m" });
  expect(await post("/", '["ZSCORE","z","m"]')).toEqual([200, { result: "1.5" }]);
  expect(await post("/", '["HGETALL","h"]')).toEqual([200, { result: ["field", "one", "other", "2"] }]);
});

test("a pipeline answers in order, with an error only where it belongs", async () => {
  await redis.set("text", "not a list");
  const answers = await redis
    .pipeline()
    .set("p", 1)
    .lpush("text", "x")
    .get("p")
    .get("absent")
    .exec({ keepErrors: true });
  expect(answers).toMatchObject([
    { result: "OK" },
    { error: expect.stringContaining("WRONGTYPE") as string },
    { result: 1 },
    { result: null },
  ]);
});

test("a transaction runs as one, and is discarded as one when a command is malformed", async () => {
  expect(await redis.multi().set("m", 5).incr("m").get("m").exec()).toEqual(["OK", 6, 6]);
  const [status, body] = await post("/multi-exec", '[["SET","m","99"],["SET","m"]]');
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain("EXECABORT");
  expect(await redis.get<number>("m")).toBe(6);
});

test("requests at the same time do not get into each other's transactions", async () => {
  const names = Array.from({ length: 100 }, (_, at) => `t${at}`);
  const results = await Promise.all(
    names.flatMap((name) => [redis.multi().set(name, 1).incr(name).exec(), redis.get(`absent ${name}`)]),
  );
  expect(results).toEqual(names.flatMap(() => [["OK", 2], null]));
});

test("Redis's errors come as errors, with what was sent", async () => {
  await redis.set("text", "not a list");
  expect(await messageOf(redis.lpush("text", "x"))).toContain("WRONGTYPE");
  expect(await post("/", '["SET","k"]')).toEqual([
    400,
    { error: "ERR wrong number of arguments for 'set' command" },
  ]);
});

test("nobody gets in without the token", async () => {
  const stranger = new Redis({ url: front.url, token: "wrong", retry: false });
  expect(await messageOf(stranger.get("k"))).toContain("Unauthorized");
  expect(await post("/", '["PING"]', {})).toEqual([401, { error: "Unauthorized" }]);
  expect(() => startUpstashFront({ redisUrl: server.url, token: "" })).toThrow(/token/);
});

test("bad requests are refused in words, and commands that change the shared connection too", async () => {
  expect((await post("/", "{broken"))[0]).toBe(400);
  expect(await post("/", '{"a":1}')).toEqual([
    400,
    { error: "ERR expected a command: a list with its name first" },
  ]);
  expect(await post("/pipeline", "[]")).toEqual([400, { error: "ERR expected a list of commands" }]);
  expect(await post("/elsewhere", '[["PING"]]')).toEqual([
    404,
    { error: "ERR nothing is served at POST /elsewhere" },
  ]);
  for (const name of ["SUBSCRIBE", "multi", "SELECT", "BLPOP", "HELLO"]) {
    expect(await post("/", JSON.stringify([name, "1"]))).toEqual([
      400,
      { error: `ERR ${name.toUpperCase()} is not available over REST` },
    ]);
  }
});

test("a Redis that went away is told as 503, and found again when it is back, with the same shapes", async () => {
  await server.kill();
  const away = await eventually("503", async () => {
    const answer = await post("/", '["PING"]');
    return answer[0] === 503 ? answer : null;
  });
  expect(away).toEqual([503, { error: "ERR Redis cannot be reached" }]);
  await server.restart();
  await redis.hset("back", { field: "one" });
  expect(await post("/", '["HGETALL","back"]')).toEqual([200, { result: ["field", "one"] }]);
});

test("tells anyone whether Redis answers behind it", async () => {
  const own = await startRedis(silent);
  const ownFront = startUpstashFront({ redisUrl: own.url, token: TOKEN });
  const status = async () => (await fetch(`${ownFront.url}/readyz`)).status;
  try {
    expect(await status()).toBe(200);
    await own.kill();
    await eventually("the front says that Redis is away", async () => (await status()) === 503);
    await own.restart();
    await eventually("the front says that Redis is back", async () => (await status()) === 200);
  } finally {
    await ownFront.close();
    await own.stop();
  }
});
