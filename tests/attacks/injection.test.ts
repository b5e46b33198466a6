/** Text that means something to SQL, to JavaScript, to Kafka or to HTTP is only text here. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { requests } from "../../schema/topics.ts";
import { MemoryBroker } from "../../runtime/bus/memory-broker.ts";
import { MemoryBus } from "../../runtime/bus/memory.ts";
import { createClient } from "../../runtime/engine/client.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { json } from "../../runtime/handler/codec.ts";
import { topic } from "../../runtime/handler/topic.ts";
import { createMemoryStore } from "../../runtime/store/memory.ts";
import { readSettings, wholeNumber } from "cauce/run";
import * as v from "valibot";
import { questionId } from "../../handlers/shared/questions/identity.ts";
import { serveDoor } from "../application/serve-door.ts";
import { openStage, type Stage } from "../application/stage.ts";

let stage: Stage;
let door: Awaited<ReturnType<typeof serveDoor>>;
beforeAll(async () => {
  stage = await openStage("injection");
  door = await serveDoor(stage);
});
afterAll(async () => {
  await door.close();
  await stage.close();
});

const pristine = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));
afterEach(() => {
  expect(JSON.stringify(Object.getOwnPropertyNames(Object.prototype))).toBe(pristine);
  expect("polluted" in {}).toBe(false);
});

const SQL = [
  "'; drop table question; --",
  '"; truncate question; --',
  "$1 $2 $$ \\",
  "x' or '1'='1",
  "x') returning pg_sleep(60); --",
  "%s %d %% _",
  "\\'; select 1; --",
  "E'\\x27'",
];

describe("SQL", () => {
  test.each(SQL)("in a question is its text: %s", async (text) => {
    const asked = { title: `Is it ${text}?`, content: text, best_answer: text };
    expect((await door.ask(asked)).status).toBe(202);
    const id = questionId(asked);
    const rows = await stage.sql`select title, content, best_answer from question where id = ${id}`;
    expect([...rows]).toEqual([asked]);
  });

  test.each(SQL)("in an address finds nothing: %s", async (text) => {
    const path = encodeURIComponent(text).replaceAll("'", "%27");
    for (const end of ["", "/events", "?order=id;drop table question", `?limit=${path}`]) {
      const { status } = await fetch(`${door.url}/query/${path}${end}`);
      expect(status).toBeWithin(400, 405);
    }
    const [row] = await stage.sql`select count(*) > 0 as there from question`;
    expect(row?.["there"]).toBe(true);
  });
});

describe("topics", () => {
  test.each([
    "../x",
    "..",
    ".",
    "",
    "__consumer_offsets",
    "__transaction_state",
    "a".repeat(250),
    "a".repeat(300),
    "tópico",
    "a b",
    "a/b",
    "a\u0000b",
    "a\r\nb",
    "🙂",
  ])("%p is none", (name) => {
    expect(() => topic(name, { schema: v.string() })).toThrow("is no topic name");
  });

  test("what a request says of topics changes nothing: every question goes to the one topic of questions", async () => {
    const broker = new MemoryBroker();
    broker.ensure(requests.name, 1);
    broker.ensure("other.tenant", 1);
    const bus = new MemoryBus({ broker });
    const client = createClient({
      app: "llm",
      bus,
      store: createMemoryStore({ clock: systemClock }),
      clock: systemClock,
      ready: () => true,
    });
    const routed = await serveDoor(stage, { client });
    const response = await routed.ask(
      { title: "Where does it go?", topic: "other.tenant", on: "other.tenant", partition: 7 },
      {
        query: "?topic=other.tenant",
        headers: {
          topic: "other.tenant",
          "x-topic": "__consumer_offsets",
          "x-retry-attempts": "99",
          ce_id: "mine",
          cauce_attempts: "99",
          cauce_delivery: "99",
          tracestate: "a=b",
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
      },
    );
    expect(response.status).toBe(202);
    await routed.close();
    expect(broker.partitions("other.tenant")?.flat()).toEqual([]);
    const [record] = broker.partitions(requests.name)?.flat() ?? [];
    const utf8 = new TextDecoder();
    const headers = Object.fromEntries(
      (record?.headers ?? []).map(([name, value]) => [name, value === null ? "" : utf8.decode(value)]),
    );
    const { id } = (await response.json()) as { id: string };
    expect(headers["ce_id"]).toBe(`${id}.1`);
    expect(headers["traceparent"]).toStartWith("00-0af7651916cd43dd8448eb211c80319c-");
    expect(headers["traceparent"]).not.toContain("b7ad6b7169203331");
    const ours = /^(?:ce_|cauce_|content-type$|traceparent$)/;
    expect(Object.keys(headers).filter((name) => !ours.test(name))).toEqual([]);
    expect(Object.values(headers)).not.toContain("99");
  });
});

describe("headers", () => {
  test.each([
    ["a carriage return", "GET /healthz HTTP/1.1\r\nHost: x\r\ntraceparent: a\rb\r\n\r\n"],
    ["NUL", "GET /healthz HTTP/1.1\r\nHost: x\r\ntraceparent: a\0b\r\n\r\n"],
  ])("with %s in them are refused", async (_, bytes) => {
    const { converse } = await import("./converse.ts");
    expect((await converse(door.url, bytes, "end")).statuses).toEqual([400]);
  });

  test("nothing of a request comes back in a header of the answer", async () => {
    const response = await door.ask(
      { title: "x\r\nset-cookie: a=b" },
      { query: "?wait=0%0d%0aset-cookie:%20a=b" },
    );
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(response.status).toBe(400);
  });
});

describe("prototypes", () => {
  const EVIL =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":{"polluted":1}}}';

  test("survive a message of a topic, decoded, checked and spread", () => {
    const value = json.decode(new TextEncoder().encode(EVIL));
    const checked = v.parse(v.looseObject({}), value);
    const copied = { ...(value as object), ...checked };
    const merged = Object.assign({}, checked);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((copied as { polluted?: unknown }).polluted).toBeUndefined();
    expect((merged as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("survive settings of any name", () => {
    const environment = JSON.parse(
      '{"__proto__":"{\\"polluted\\":1}","constructor":"x","PORT":"7"}',
    ) as Record<string, string>;
    const declared = { port: { env: "PORT", schema: wholeNumber({ min: 1, max: 9, preset: 1 }), about: "" } };
    expect(readSettings(declared, environment)).toEqual({ port: 7 });
  });

  test("survive headers and addresses", async () => {
    const response = await fetch(
      `${door.url}/healthz?__proto__[polluted]=1&constructor.prototype.polluted=1`,
      {
        headers: { __proto__x: "1", constructor: "polluted" },
      },
    );
    expect(response.status).toBe(200);
  });
});

describe("addresses that a request names", () => {
  test.each([
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost:8000/metrics",
    "http://[::1]/",
    "http://2130706433/",
    "http://0x7f.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
  ])("are never fetched: %s", async (address) => {
    const fetched: unknown[] = [];
    const real = globalThis.fetch;
    const ask = (body: object, headers: Record<string, string>) =>
      real(`${door.url}/query`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    globalThis.fetch = Object.assign(
      (input: unknown) => {
        fetched.push(input);
        return Promise.reject(new Error("nothing may be fetched"));
      },
      { preconnect: () => {} },
    ) as typeof fetch;
    try {
      const response = await ask(
        {
          title: address,
          content: address,
          base_url: address,
          webhook: address,
          callback: address,
          model: address,
        },
        { "x-llm-base-url": address, "x-forwarded-host": address, referer: address },
      );
      expect(response.status).toBe(202);
    } finally {
      globalThis.fetch = real;
    }
    expect(fetched).toEqual([]);
  });
});
