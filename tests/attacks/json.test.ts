/** JSON that is deep, large or odd ends no process: each is read, or refused in words, by a door and a codec that go on. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linesOf } from "../../bench/harness/child.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-json-"));
let child: Bun.Subprocess<"pipe", "pipe", "inherit">;
let lines: AsyncGenerator<string>;
let url = "";

const nextLine = async () => String((await lines.next()).value);

beforeAll(async () => {
  child = Bun.spawn([process.execPath, join(import.meta.dir, "eater.ts")], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  lines = linesOf(child.stdout);
  url = await nextLine();
});
afterAll(() => {
  child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

async function post(body: string | Uint8Array<ArrayBuffer>): Promise<number> {
  const response = await fetch(`${url}/ask`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  await response.text();
  return response.status;
}

async function decode(body: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const file = join(folder, crypto.randomUUID());
  writeFileSync(file, body);
  await child.stdin.write(`${file}\n`);
  await child.stdin.flush();
  return await nextLine();
}

const bytes = (...values: number[]) => new Uint8Array([0x22, ...values, 0x22]);
const DEEP = 100_000;

test.each<[what: string, body: string | Uint8Array<ArrayBuffer>, status: number, decoded: string]>([
  ["100,000 open brackets", "[".repeat(DEEP), 400, "undecodable"],
  ["100,000 closed brackets", "]".repeat(DEEP), 400, "undecodable"],
  ["100,000 nested lists", "[".repeat(DEEP) + "]".repeat(DEEP), 400, "undecodable"],
  ["100,000 nested objects", `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`, 400, "undecodable"],
  ["brackets in a text", JSON.stringify({ title: "[".repeat(DEEP) }), 200, "read"],
  ["a text that ends in a backslash", `{"title":"${"[".repeat(DEEP)}\\`, 400, "undecodable"],
  ["10 MB of text", JSON.stringify({ title: "x".repeat(10_000_000) }), 413, "read"],
  ["800 kB of escapes", `{"title":"${String.raw`\u0061`.repeat(130_000)}"}`, 200, "read"],
  ["400,000 numbers", `{"title":"x","list":[${"1,".repeat(400_000)}1]}`, 200, "read"],
  [
    "100,000 fields",
    `{"title":"x",${Array.from({ length: 80_000 }, (_, n) => `"${n}":1`).join(",")}}`,
    200,
    "read",
  ],
  ["a number beyond all", '{"title":"x","n":1e400}', 200, "read"],
  ["a number of 100,000 digits", `{"title":"x","n":${"9".repeat(DEEP)}}`, 200, "read"],
  ["a number below all", '{"title":"x","n":1e-400}', 200, "read"],
  ["a field twice", '{"title":"x","title":"y"}', 200, "read"],
  ["a lone surrogate", String.raw`{"title":"\ud800"}`, 400, "read"],
  ["U+0000", String.raw`{"title":"\u0000"}`, 400, "read"],
  ["bytes that are no UTF-8", bytes(0xff, 0xfe), 400, "undecodable"],
  ["an overlong slash", bytes(0xc0, 0xaf), 400, "undecodable"],
  ["an overlong NUL", bytes(0xc0, 0x80), 400, "undecodable"],
  ["a surrogate in UTF-8", bytes(0xed, 0xa0, 0x80), 400, "undecodable"],
  ["a character beyond Unicode", bytes(0xf4, 0x90, 0x80, 0x80), 400, "undecodable"],
  ["half a character", bytes(0xe2, 0x82), 400, "undecodable"],
  ["NaN", '{"title":NaN}', 400, "undecodable"],
  ["nothing but blanks", " ".repeat(DEEP), 400, "undecodable"],
  ["a BOM alone", "\uFEFF", 400, "undecodable"],
])("%s", async (_, body, status, decoded) => {
  expect(await post(body)).toBe(status);
  expect(await decode(body)).toBe(decoded);
  expect(child.exitCode).toBeNull();
});

test("many of them at once, and the process still answers and ends well", async () => {
  const bodies = Array.from({ length: 40 }, (_, n) =>
    n % 2 === 0 ? "[".repeat(DEEP) : `"${"x".repeat(850_000)}"`,
  );
  const statuses = await Promise.all(bodies.map(post));
  expect(new Set(statuses)).toEqual(new Set([400, 422]));
  expect(await post('{"title":"still here"}')).toBe(200);
  await child.stdin.end();
  expect(await child.exited).toBe(0);
});
