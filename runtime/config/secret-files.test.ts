import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withSecretFiles } from "./secret-files.ts";

const folder = mkdtempSync(join(tmpdir(), "cauce-secret-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("a secret's file stands for its variable, without the line break at its end", () => {
  const path = file("url", "postgres://cauce:canary@db/cauce\n");
  const read = withSecretFiles({ DATABASE_URL_FILE: path, DATABASE_URL: "", PORT: "8000" });
  expect(read).toMatchObject({ DATABASE_URL: "postgres://cauce:canary@db/cauce", PORT: "8000" });
  // A supervised process gets both from its supervisor.
  expect(withSecretFiles(read)).toEqual(read);
});

test("variables that name no secret keep their files", () => {
  const environment = { LOADGEN_FILE: "questions.json", KAFKA_SSL_CA_FILE: "ca.pem", LLM_API_KEY_FILE: "" };
  expect(withSecretFiles(environment)).toEqual(environment);
});

test("files that cannot be read, empty ones and secrets given twice are all said at once, and none is shown", () => {
  const environment = {
    DATABASE_URL_FILE: join(folder, "absent"),
    LLM_API_KEY_FILE: file("empty", " \n"),
    KAFKA_PASSWORD_FILE: file("password", "canary"),
    KAFKA_PASSWORD: "another canary",
  };
  const said = () => withSecretFiles(environment);
  expect(said).toThrow(/DATABASE_URL_FILE: .*absent cannot be read/);
  expect(said).toThrow(/LLM_API_KEY_FILE: .*empty is empty/);
  expect(said).toThrow("KAFKA_PASSWORD and KAFKA_PASSWORD_FILE are both set, and differ");
  expect(said).not.toThrow("canary");
});
