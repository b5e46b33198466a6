/**
 * What a body may be, and how everything else is refused before a route sees it.
 */
import { describe, expect, test } from "bun:test";
import { givenDoor } from "./given-door.ts";
import { sendRaw } from "./send-raw.ts";

describe("a body that is refused reaches no route and", () => {
  test.each([
    ["is broken JSON", "{broken", 400, "not usable JSON"],
    ["is cut off", '{"title":"x', 400, "not usable JSON"],
    ["nests 100,000 brackets", "[".repeat(100_000), 400, "not usable JSON"],
    ["nests 100,000 objects", '{"a":'.repeat(100_000), 400, "not usable JSON"],
  ])("says so when it %s", async (_, body, status, title) => {
    const { post, reached } = await givenDoor();
    const answer = await post("/ask", body);
    expect(answer.status).toBe(status);
    expect(answer.problem?.title).toContain(title);
    expect(answer.problem?.detail).toBeString();
    expect(reached).toEqual([]);
  });

  test("names the depth that is allowed", async () => {
    const { post } = await givenDoor();
    expect((await post("/ask", "[".repeat(65))).problem?.detail).toContain("deeper than 64");
  });

  test("names each field that a schema refuses, with its whole path", async () => {
    const { post, reached } = await givenDoor();
    const answer = await post(
      "/ask",
      JSON.stringify({ title: 5, tags: [{ name: "a" }, { name: null }, {}] }),
    );
    expect(answer.status).toBe(422);
    expect(answer.problem?.title).toBe("The request is not valid");
    expect(answer.problem?.errors?.map(({ field }) => field)).toEqual([
      "title",
      "tags.1.name",
      "tags.2.name",
    ]);
    expect(answer.problem?.errors?.every(({ message }) => message.length > 0)).toBe(true);
    expect(answer.text).not.toContain("[object Object]");
    expect(reached).toEqual([]);
  });

  test.each(["null", "[]", '"text"', "5", ""])("is no object: %p", async (body) => {
    const { post, reached } = await givenDoor();
    const answer = await post("/ask", body);
    expect(answer.status).toBe(422);
    expect(answer.problem?.errors?.length).toBeGreaterThan(0);
    expect(reached).toEqual([]);
  });

  test("does not repeat a value of any length", async () => {
    const { post } = await givenDoor();
    const answer = await post("/ask", JSON.stringify({ title: "ok", tags: "x".repeat(500_000) }));
    expect(answer.status).toBe(422);
    expect(answer.text.length).toBeLessThan(2_000);
  });

  test.each([
    ["NUL in a value", { title: "a\u0000b" }, "title", "U+0000"],
    ["NUL deep inside", { title: "t", tags: [{ name: "a" }, { name: "\u0000" }] }, "tags.1.name", "U+0000"],
    ["NUL in a name", { title: "t", more: { "a\u0000": 1 } }, "more.a\uFFFD", "U+0000"],
    ["a lone high surrogate", { title: "a\uD800" }, "title", "surrogate"],
    ["a lone low surrogate", { title: "\uDC00 b" }, "title", "surrogate"],
    ["a lone surrogate in a name", { title: "t", more: { "\uD800": 1 } }, "more.\uFFFD", "surrogate"],
  ])("names the field with %s", async (_, body, field, word) => {
    const { post, reached } = await givenDoor();
    const answer = await post("/ask", JSON.stringify(body));
    expect(answer.status).toBe(400);
    expect(answer.problem?.errors).toHaveLength(1);
    expect(answer.problem?.errors?.[0]?.field).toBe(field);
    expect(answer.problem?.errors?.[0]?.message).toContain(word);
    expect(reached).toEqual([]);
  });

  test("text that no schema asks for goes nowhere and is no reason to refuse", async () => {
    const { post, reached } = await givenDoor();
    const answer = await post("/ask", JSON.stringify({ title: "t", other: "\u0000", "\uD800": 1 }));
    expect(answer.status).toBe(200);
    expect(reached).toEqual([{ title: "t" }]);
  });

  test("is not UTF-8", async () => {
    const { door, reached } = await givenDoor();
    const response = await fetch(`${door.url}/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Uint8Array([0x22, 0xff, 0xfe, 0x22]),
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("UTF-8");
    expect(reached).toEqual([]);
  });

  test.each([
    ["text/plain", "text/plain"],
    ["a form", "application/x-www-form-urlencoded"],
    ["another charset", "application/json; charset=iso-8859-1"],
    ["a type that only begins like JSON", "application/jsonx"],
    ["nonsense", ";;;"],
  ])("comes as %s: 415", async (_, contentType) => {
    const { post, reached } = await givenDoor();
    const answer = await post("/ask", '{"title":"x"}', { "content-type": contentType });
    expect(answer.status).toBe(415);
    expect(answer.problem?.detail).toContain("application/json");
    expect(reached).toEqual([]);
  });

  test("comes compressed: 415, and nothing is inflated", async () => {
    const { door, reached } = await givenDoor();
    const response = await fetch(`${door.url}/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: Bun.gzipSync('{"title":"x"}'),
    });
    expect(response.status).toBe(415);
    expect(reached).toEqual([]);
  });

  test("comes without a content type: 415", async () => {
    const { door, reached } = await givenDoor();
    const answer = await sendRaw(door.url, ["POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"]);
    expect(answer).toStartWith("HTTP/1.1 415");
    expect(reached).toEqual([]);
  });
});

/** A good body of that many bytes. */
function bodyOf(bytes: number): string {
  return JSON.stringify({ title: "x".repeat(bytes - '{"title":""}'.length) });
}

describe("a body is taken", () => {
  test.each([
    "application/json",
    "application/json; charset=utf-8",
    'APPLICATION/JSON;charset="UTF-8"',
    "application/cloudevents+json",
  ])("as %s", async (contentType) => {
    const { post, reached } = await givenDoor();
    expect((await post("/ask", '{"title":"x"}', { "content-type": contentType })).status).toBe(200);
    expect(reached).toEqual([{ title: "x" }]);
  });

  test("with a byte order mark, in any language, with astral characters", async () => {
    const { post, reached } = await givenDoor();
    expect((await post("/ask", '\uFEFF{"title":"¿Qué hora es? 😀"}')).status).toBe(200);
    expect(reached).toEqual([{ title: "¿Qué hora es? 😀" }]);
  });

  test("when it comes in chunks", async () => {
    const { door, reached } = await givenDoor();
    const answer = await sendRaw(door.url, [
      "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
      '8\r\n{"title"\r\n',
      '6\r\n:"ab"}\r\n',
      "0\r\n\r\n",
    ]);
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(reached).toEqual([{ title: "ab" }]);
  });

  test("up to the limit and not one byte further", async () => {
    const { post } = await givenDoor({ limits: { bodyBytes: 100 } });
    expect((await post("/ask", bodyOf(100))).status).toBe(200);
    expect((await post("/ask", bodyOf(101))).status).toBe(413);
  });
});

function* tenMegabytesInChunks() {
  const megabyte = new Uint8Array(1_000_000).fill(0x61);
  yield "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (let sent = 0; sent < 10; sent++) {
    yield `${megabyte.byteLength.toString(16)}\r\n`;
    yield megabyte;
    yield "\r\n";
  }
  yield "0\r\n\r\n";
}

describe("a body of 10 MB is refused without being read whole", () => {
  test("when its length is announced", async () => {
    const { post, reached } = await givenDoor();
    const answer = await post("/ask", "x".repeat(10_000_000));
    expect(answer.status).toBe(413);
    expect(answer.problem?.detail).toContain("900000 bytes");
    expect(reached).toEqual([]);
  });

  test("when its length is announced and nothing follows", async () => {
    const { door } = await givenDoor();
    const answer = await sendRaw(door.url, [
      "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n",
    ]);
    expect(answer).toStartWith("HTTP/1.1 413");
    expect(answer).toContain("application/problem+json");
  });

  test("when it comes in chunks of unknown number", async () => {
    const { door, reached } = await givenDoor();
    const answer = await sendRaw(door.url, tenMegabytesInChunks());
    expect(answer).toStartWith("HTTP/1.1 413");
    expect(answer).toContain("application/problem+json");
    expect(reached).toEqual([]);
  });

  test("and the door goes on serving others", async () => {
    const { post } = await givenDoor();
    await Promise.all(Array.from({ length: 8 }, () => post("/ask", "x".repeat(2_000_000))));
    expect((await post("/ask", '{"title":"x"}')).status).toBe(200);
  });
});

describe("a body that does not come", () => {
  test("is refused with 408 when its time is over", async () => {
    const { door, reached } = await givenDoor({ limits: { bodyMs: 50 } });
    const answer = await sendRaw(door.url, [
      "POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{",
    ]);
    expect(answer).toStartWith("HTTP/1.1 408");
    expect(reached).toEqual([]);
  });
});

describe("prototypes", () => {
  test.each([
    ['{"title":"x","__proto__":{"polluted":true}}', "__proto__"],
    ['{"title":"x","a":{"b":[{"__proto__":{"polluted":true}}]}}', "a.b.0.__proto__"],
    ['{"title":"x","\\u005f_proto__":{"polluted":true}}', "__proto__"],
    ['{"title":"x","constructor":{"prototype":{"polluted":true}}}', "constructor"],
  ])("stay as they are and the key is refused: %s", async (body, field) => {
    const { post, reached } = await givenDoor();
    const before = Object.getOwnPropertyNames(Object.prototype);
    const answer = await post("/ask", body);
    expect(answer.status).toBe(400);
    expect(answer.problem?.errors?.map((error) => error.field)).toEqual([field]);
    expect(reached).toEqual([]);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect("polluted" in {}).toBe(false);
  });

  test("stay as they are when the query string reaches for them", async () => {
    const { get } = await givenDoor();
    await get("/healthz?__proto__=1&__proto__[polluted]=1&constructor[prototype][polluted]=1");
    expect("polluted" in {}).toBe(false);
  });

  test("a field that is just called constructor is fine", async () => {
    const { post } = await givenDoor();
    expect((await post("/ask", '{"title":"x","constructor":"Ferrari"}')).status).toBe(200);
  });
});
