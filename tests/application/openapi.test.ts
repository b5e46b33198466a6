/** What the description promises is what the door does: Schemathesis asks thousands of questions and compares. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeKey } from "../../handlers/shared/door/api-key.ts";
import { openKeyGuard, type KeyGuard } from "../../handlers/shared/door/key-guard.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { runSchemathesis } from "../services/schemathesis.ts";
import { finish, serveDoor, writeStep } from "./serve-door.ts";
import { newQuestion, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(300_000);

/** Cases an operation and phase; more find no more here, they only take longer. */
const CASES = "40";
let stage: Stage;
let door: Awaited<ReturnType<typeof serveDoor>>;
let guard: KeyGuard | undefined;

beforeAll(async () => {
  stage = await openStage("openapi");
  door = await serveDoor(stage, { mostPatienceMs: 200, answering: true });
});
afterAll(async () => {
  guard?.close();
  await door.close();
  await stage.close();
});

const run = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  runSchemathesis({
    url: `${url}/openapi/json`,
    headers,
    options: ["--checks", "all", "--max-examples", CASES, "--seed", "20260101", "--request-timeout", "10"],
    report: () => {},
  });

test("Schemathesis finds no answer that the description does not allow", async () => {
  // So that some ids are known: the description's example is one of them.
  const asked = { ...newQuestion(), id: "4f0d6e0ab3c5c2a1f0a6d9b1c8e7f203" };
  await stage.repository.claim(asked, null);
  await writeStep(stage, asked.id, "generating");
  await finish(stage, asked.id);
  const { ok, output } = await run(door.url);
  expect(ok ? "" : output).toBe("");
  expect(output).toMatch(/Operations:.*\b6 selected|\b6 \/ 6\b|Tested: 6/);
});

test("nor behind API keys, with one and without", async () => {
  const { id, key, hash } = makeKey();
  await stage.repository.addApiKey({ id, name: "schemathesis", hash, perMinute: null });
  guard = await openKeyGuard({
    repository: stage.repository,
    clock: systemClock,
    log: silentLog,
    always: true,
  });
  const guarded = await serveDoor(stage, { mostPatienceMs: 200, answering: true, guard });
  try {
    for (const headers of [{ authorization: `Bearer ${key}` }, {}]) {
      const { ok, output } = await run(guarded.url, headers);
      expect(ok ? "" : output).toBe("");
    }
  } finally {
    await guarded.close();
  }
});
