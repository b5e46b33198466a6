/** The secrets that docker-compose.yml makes up: new ones once, chosen ones always, and never printed. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeCredentials } from "../../deploy/write-credentials.ts";

const parent = mkdtempSync(join(tmpdir(), "cauce-credentials-"));
afterAll(() => rmSync(parent, { recursive: true }));

const newFolder = () => mkdtempSync(join(parent, "folder-"));
const textOf = (folder: string, name: string) => readFileSync(join(folder, name), "utf8").trim();

test("made up at the first start, and the same at every later one", () => {
  const folder = newFolder();
  writeCredentials(folder, {});
  const password = textOf(folder, "postgres-password");
  expect(password).toMatch(/^[0-9a-f]{48}$/);
  expect(textOf(folder, "redis-http-token")).not.toBe(password);
  expect(textOf(folder, "database-url")).toBe(`postgres://cauce:${password}@postgres:5432/cauce`);
  writeCredentials(folder, { postgresPassword: "", redisHttpToken: "" });
  expect(textOf(folder, "postgres-password")).toBe(password);
  expect(new Set(readdirSync(folder))).toEqual(
    new Set(["database-url", "postgres-password", "redis-http-token"]),
  );
});

test("what somebody chose wins, also over what is there, and other users of the volume can read it", () => {
  const folder = newFolder();
  writeCredentials(folder, {});
  writeCredentials(folder, { postgresPassword: "chosen1", redisHttpToken: "chosen-2" });
  expect(textOf(folder, "database-url")).toContain(":chosen1@");
  expect(textOf(folder, "redis-http-token")).toBe("chosen-2");
  expect(statSync(join(folder, "postgres-password")).mode & 0o777).toBe(0o444);
});

test("a password that would break the address is refused and not shown", () => {
  const write = () => writeCredentials(newFolder(), { postgresPassword: "canary@host/" });
  expect(write).toThrow("letters and digits only");
  expect(write).not.toThrow("canary");
});
