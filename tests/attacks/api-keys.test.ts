/** API keys: who has none that is valid does not get in, keys are nowhere in clear, and each has its rate. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { idIn, makeKey, matches } from "../../handlers/shared/door/api-key.ts";
import { openGuard } from "../../handlers/shared/door/guard-door.ts";
import { openKeyGuard, type KeyGuard } from "../../handlers/shared/door/key-guard.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { redactor } from "../../runtime/observe/redact.ts";
import { serveDoor, until } from "../application/serve-door.ts";
import { deadRepository } from "../application/open-door.ts";
import { openStage, type Stage } from "../application/stage.ts";

let stage: Stage;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  stage = await openStage("apikeys");
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
  await stage.sql`truncate api_key`;
});
afterAll(() => stage.close());

async function newKey(name = "somebody", perMinute: number | null = null) {
  const made = makeKey();
  await stage.repository.addApiKey({ id: made.id, name, hash: made.hash, perMinute });
  return made;
}

async function guarded(options: { readonly always?: boolean; readonly nowMs?: () => number } = {}) {
  const { nowMs } = options;
  const guard = await openKeyGuard({
    repository: stage.repository,
    clock: nowMs ? { ...systemClock, monotonicMs: nowMs } : systemClock,
    log: silentLog,
    always: options.always ?? false,
    rereadMs: 20,
  });
  const door = await serveDoor(stage, { guard });
  open.push(guard, door);
  const status = async (headers: Record<string, string> = {}, path = "/query") =>
    (
      await fetch(door.url + path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: '{"title":"Key?"}',
      })
    ).status;
  return { guard, door, status };
}

const shows = (key: string) => ({ authorization: `Bearer ${key}` });

describe("a door with keys", () => {
  test("lets in who shows a valid one, and nobody else", async () => {
    const { key, id } = await newKey();
    const { status, door } = await guarded();
    expect(await status(shows(key))).toBe(202);
    const wrong = [
      {},
      { authorization: "" },
      { authorization: key },
      { authorization: `Basic ${btoa(key)}` },
      shows(`${key}x`),
      shows(`${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`),
      shows(`cauce_${id}_${"A".repeat(43)}`),
      shows(makeKey().key),
      shows("__proto__"),
      shows("constructor"),
      { "x-api-key": key },
    ];
    for (const headers of wrong) expect([headers, await status(headers)]).toEqual([headers, 401]);
    // In an address it would lie in every log on the way.
    expect(await status({}, `/query?key=${key}&access_token=${key}`)).toBe(401);
    const refused = await fetch(`${door.url}/query/${"f".repeat(32)}/events`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toStartWith("Bearer");
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
  });

  test.each([
    "/query",
    "/query/",
    "/QUERY",
    "//query",
    "/query%2F",
    "/./query",
    "/query?x",
    `/query/${"a".repeat(32)}`,
  ])("is not passed by another way to write the path: %s", async (path) => {
    await newKey();
    const { door } = await guarded();
    for (const method of ["GET", "POST", "HEAD", "PUT"]) {
      const { status } = await fetch(door.url + path, { method });
      expect([path, method, [401, 404, 405].includes(status)]).toEqual([path, method, true]);
    }
  });

  test("leaves probes and the description open", async () => {
    await newKey();
    const { door } = await guarded();
    for (const path of ["/healthz", "/readyz", "/openapi/json", "/openapi"])
      expect([path, (await fetch(door.url + path)).status]).toEqual([path, 200]);
  });

  test("refuses before it reads a body", async () => {
    await newKey();
    const { door } = await guarded();
    const response = await fetch(`${door.url}/query`, { method: "POST", body: "{broken" });
    expect(response.status).toBe(401);
  });

  test("learns of a new key and of a revoked one while it runs, and never opens by itself", async () => {
    const first = await newKey();
    const { status } = await guarded();
    const second = await newKey("other");
    await until("the new key works", async () => (await status(shows(second.key))) === 202);
    for (const { id } of [first, second]) expect(await stage.repository.revokeApiKey(id)).toBe(true);
    await until("the revoked ones do not", async () => (await status(shows(second.key))) === 401);
    expect(await status(shows(first.key))).toBe(401);
    expect(await status()).toBe(401);
    expect(await stage.repository.revokeApiKey(first.id)).toBe(false);
  });

  test("gives each key its own rate, with an honest time to come back", async () => {
    let nowMs = 0;
    const [slow, other] = [await newKey("slow", 60), await newKey("other", 60)];
    const { status, door } = await guarded({ nowMs: () => nowMs });
    // Ten seconds' worth at once.
    for (let n = 0; n < 10; n++) expect(await status(shows(slow.key))).toBe(202);
    const refused = await door.ask({ title: "Again?" }, { headers: shows(slow.key) });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await status(shows(other.key))).toBe(202);
    nowMs += 1_000;
    expect(await status(shows(slow.key))).toBe(202);
    expect(await status(shows(slow.key))).toBe(429);
  });
});

test("without any key everybody who reaches the door may ask", async () => {
  const { status, guard } = await guarded();
  expect([await status(), guard.required]).toEqual([202, false]);
});

test("keys are kept as hashes alone, and a key that is logged all the same is taken out", async () => {
  const { key, id, hash } = await newKey("canary");
  const rows = JSON.stringify(await stage.sql`select * from api_key`);
  expect(rows).toContain(hash);
  expect(rows).not.toContain(key.slice(key.indexOf(id) + id.length + 1));
  expect(redactor([])(`refused: ${key}, and x=${key}`)).not.toContain(key.slice(20));
});

test("made keys differ, are 256 bits of chance, and only the whole key matches", () => {
  const keys = Array.from({ length: 100 }, makeKey);
  expect(new Set(keys.map(({ key }) => key)).size).toBe(100);
  for (const { id, key, hash } of keys) {
    expect(key).toMatch(/^cauce_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    expect(idIn(key)).toBe(id);
    expect(matches(key, hash)).toBe(true);
    expect(matches(key, "")).toBe(false);
    expect(matches(`${key}=`, hash)).toBe(false);
  }
});

describe("where the door may stand", () => {
  const world = (loopback: boolean, exposed = !loopback) => ({
    door: { loopback, exposed },
    runs: { ingress: true, handlers: [] },
    clock: systemClock,
    log: silentLog,
  });
  const opened = async (...given: Parameters<typeof world>): Promise<KeyGuard> => {
    const guard = await openGuard(world(...given), stage.repository);
    open.push(guard);
    return guard;
  };

  test("on loopback without keys, elsewhere only with one", async () => {
    expect((await opened(true)).required).toBe(false);
    expect(opened(false)).rejects.toThrow("no API key was ever made");
    await newKey();
    expect((await opened(false)).required).toBe(true);
    expect((await opened(true)).required).toBe(true);
  });

  test("elsewhere without one when an operator says that something else guards it", async () => {
    expect((await opened(false, false)).required).toBe(false);
  });

  test("a database that is away opens no door", () => {
    const options = { clock: systemClock, log: silentLog, always: false };
    expect(openKeyGuard({ repository: deadRepository(), ...options })).rejects.toThrow();
  });
});
