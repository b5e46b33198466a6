import { describe, expect, test } from "bun:test";
import { CauceError } from "../ground/errors.ts";
import type { Log, LogLevel } from "../ground/log.ts";
import { createLog } from "./log.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function given(options: { terminal?: boolean; level?: LogLevel; secrets?: string[] } = {}): {
  log: Log;
  lines: string[];
  last: () => Record<string, unknown>;
} {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    terminal: false,
    level: "info",
    clock: { nowMs: () => NOW_MS },
    ...options,
  });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown> };
}

/** A terminal's line without its colours. */
function plain(line: string | undefined): string {
  return Bun.stripANSI(line ?? "");
}

describe("elsewhere than on a terminal", () => {
  test("a line is one JSON object with time, level, event and fields", () => {
    const { log, lines } = given();
    log.with({ handler: "answer" }).info("record settled", { partition: 3, note: "two\nlines" });
    expect(lines).toEqual([
      `{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"record settled","handler":"answer","partition":3,"note":"two\\nlines"}\n`,
    ]);
  });

  test("fields cannot replace time, level and event", () => {
    const { log, last } = given();
    log.info("real", { event: "fake", level: "error", time: 0 });
    expect(last()).toMatchObject({ event: "real", level: "info", field_event: "fake", field_level: "error" });
  });

  test("a line stays bounded and stays JSON whatever the fields hold", () => {
    const { log, lines, last } = given();
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`f${index}`, "x".repeat(1_900)]),
    );
    log.info("big", { ...many });
    expect(lines[0]?.length).toBeLessThanOrEqual(16_001);
    expect(last()).toMatchObject({ event: "big", truncated: expect.any(Number) });
    log.info("x".repeat(1_000_000), { deep: JSON.parse("[".repeat(5_000) + "]".repeat(5_000)) });
    expect(lines[1]?.length).toBeLessThan(4_000);
  });
});

describe("on a terminal", () => {
  test("a line is readable: clock, level, event, name=value", () => {
    const { log, lines } = given({ terminal: true });
    log.warn("broker is away", { broker: "localhost:9092", why: "no route", tries: 3 });
    expect(plain(lines[0])).toBe(
      '03:04:05.678 warn  broker is away broker=localhost:9092 why="no route" tries=3\n',
    );
    expect(lines[0]).toContain("\u001B[33m");
  });

  test("nothing that is logged moves the cursor or fakes a line", () => {
    const { log, lines } = given({ terminal: true });
    log.info("a\n03:04:05 error fake\u001B[2J", { "k\u0007": "\u001B]0;title\u0007\r\nnext", ["\u2028"]: 1 });
    const text = lines[0] ?? "";
    expect(text.indexOf("\n")).toBe(text.length - 1);
    expect(text).not.toContain("\u001B[2J");
    expect(text).not.toContain("\u001B]0");
    expect(text).not.toContain("\u0007");
    expect(text).not.toContain("\r");
  });

  test("an error is told with its causes", () => {
    const { log, lines } = given({ terminal: true });
    const cause = Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" });
    log.error("cannot publish", { error: new CauceError("broker", "the broker is away", { cause }) });
    expect(plain(lines[0])).toContain("error=broker: the broker is away ← ECONNREFUSED: connect refused");
  });
});

describe("what is logged", () => {
  test("below the level is not written", () => {
    const { log, lines } = given({ level: "warn" });
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    expect(lines).toHaveLength(2);
  });

  test("errors become code, message and causes; stacks and their own fields stay out", () => {
    const { log, last, lines } = given();
    const error = Object.assign(new Error("no", { cause: new TypeError("deep") }), {
      headers: { x: "canary" },
    });
    log.error("failed", { error });
    expect(last()["error"]).toEqual({
      name: "Error",
      message: "no",
      cause: { name: "TypeError", message: "deep" },
    });
    expect(lines[0]).not.toContain("canary");
  });

  test("carries stacks at debug alone", () => {
    const { log, last } = given({ level: "debug" });
    log.error("failed", { error: new Error("no") });
    expect(last()["error"]).toMatchObject({ stack: expect.stringContaining("log.test.ts") });
  });

  test("never throws, whatever comes", () => {
    const { log, last } = given();
    const circular: Record<string, unknown> = {
      big: 1n,
      fn: () => 1,
      when: new Date(NaN),
      bytes: new Uint8Array(3),
    };
    circular["self"] = circular;
    const hostile = {
      get boom() {
        throw new Error("no");
      },
    };
    const looped = new Error("loop");
    looped.cause = looped;
    log.info("odd", {
      circular,
      hostile,
      looped,
      map: new Map([["a", 1]]),
      set: new Set([1]),
      symbol: Symbol("s"),
      nan: NaN,
    });
    expect(last()).toMatchObject({
      circular: {
        big: "1",
        fn: "[function]",
        when: "[invalid date]",
        bytes: "[3 bytes]",
        self: "[circular]",
      },
      hostile: "[unreadable]",
      map: { a: 1 },
      set: [1],
      symbol: "[symbol]",
      nan: "NaN",
    });
  });

  test("goes on when the sink fails", () => {
    const log = createLog({
      write: () => {
        throw new Error("disk full");
      },
      terminal: false,
      level: "info",
      clock: { nowMs: () => NOW_MS },
    });
    expect(() => log.info("a")).not.toThrow();
  });
});

describe("a secret never comes out", () => {
  const CANARY = 'Can4ry/"p@ss wörd+=';
  const forms = [
    CANARY,
    encodeURIComponent(CANARY),
    JSON.stringify(CANARY).slice(1, -1),
    btoa(unescape(encodeURIComponent(CANARY))),
  ];

  test.each([true, false])(
    "that the settings named, in whatever form and place (terminal: %p)",
    (terminal) => {
      const { log, lines } = given({ terminal, level: "debug", secrets: [CANARY] });
      for (const form of forms) {
        log.info(`event ${form}`, {
          a: `x${form}y`,
          list: [form],
          [form]: 1,
          error: new Error(form, { cause: new Error(form) }),
        });
        log
          .with({ bound: form })
          .warn("x", { url: new URL(`http://h/?${new URLSearchParams({ q: CANARY }).toString()}`) });
        log.info("long", { text: "x".repeat(1_990) + form });
      }
      for (const line of lines) for (const form of forms) expect(line).not.toContain(form);
      for (const line of lines) expect(line).not.toContain("Can4ry");
      expect(lines).toHaveLength(forms.length * 3);
    },
  );

  test("that stands in a field whose name says so", () => {
    const { log, lines } = given();
    for (const name of [
      "password",
      "db_password",
      "PASSWD",
      "token",
      "accessToken",
      "UPSTASH_REDIS_REST_TOKEN",
      "api_key",
      "api-key",
      "LLM_API_KEY",
      "authorization",
      "Authorization",
      "client_secret",
      "sasl.password",
      "cookie",
      "set-cookie",
      "credentials",
    ]) {
      log.info("x", {
        [name]: "canary",
        nested: { [name]: "canary" },
        list: [{ [name]: ["canary"] }],
        map: new Map([[name, { deep: "canary" }]]),
      });
    }
    expect(lines.join("")).not.toContain("canary");
  });

  test.each([
    "postgres://user:canary@host/db",
    "postgres://user:can@na/ry:canary@host:5432/db",
    "redis://:canary@host",
    "Authorization: Bearer canary12345",
    "authorization=Basic Y2FuYXJ5OmNhbmFyeQ==canary",
    "password=canary host=x",
    'password: "canary"',
    '{"password":"canary"}',
    "sasl.password=canary",
    "https://h/path?token=canary&x=1",
    "https://h/path?api_key=canary",
    "Incorrect API key provided: sk-canary1234567890abcd",
  ])("that text gives away by its form: %s", (text) => {
    const { log, lines } = given();
    log.info(text, { text, error: new Error(text) });
    expect(lines[0]).not.toContain("canary");
  });

  test("and what is no secret stays readable", () => {
    const { log, last } = given({ secrets: ["abc", ""] });
    const fields = {
      tokens: 12,
      max_tokens: 100,
      key: "q:42",
      url: "postgres://localhost:5432/db",
      why: "password authentication failed for user cauce",
      mail: "somebody@example.org at http://h:80/x",
      abc: "abc",
    };
    log.info("usage", fields);
    expect(last()).toMatchObject(fields);
  });

  test("and a megabyte of hostile text is searched in no more than the time of its length", () => {
    const { log, lines } = given();
    for (const text of ["a", "://", "://a:", "password=", "Bearer ", "sk-", "token "]) {
      log.info("x", { text: text.repeat(1_000_000 / text.length) });
    }
    expect(lines).toHaveLength(7);
  });
});
