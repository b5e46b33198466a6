/** The door of real processes: waiting, following across a death, a line that is too long, keys. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ask, post, queue, question, questions } from "./asking.ts";
import { clearStage, embeddedDatabase, eventually, newStateDir, sql, startCauce } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

afterEach(clearStage);

const command = join(import.meta.dir, "../../runtime/bin/cauce.ts");

/** Reads a stream of events until `last` or its end; names and ids as they came. */
async function follow(url: string, last: string, lastEventId = "") {
  const response = await fetch(url, { headers: { "last-event-id": lastEventId } });
  const names: string[] = [];
  const ids: string[] = [];
  let rest = "";
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  while (!names.includes(last)) {
    const read = await reader?.read().catch(() => ({ done: true, value: undefined }));
    if (!read || read.done || read.value === undefined) break;
    const lines = (rest + read.value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("event: ")) names.push(line.slice("event: ".length));
      if (line.startsWith("id: ")) ids.push(line.slice("id: ".length));
    }
  }
  return { names, ids };
}

describe("who waits", () => {
  test("gets the answer that another process makes, in the same request", async () => {
    const stateDir = newStateDir();
    const settings = { OFFLINE_LATENCY_MS: "300" };
    const front = startCauce({ stateDir, settings: { ...settings, RUN: "ingress" } });
    const workers = startCauce({
      stateDir,
      settings: {
        ...settings,
        RUN: "llm.requests,llm.generated,llm.errors,llm.validated,llm.failed,scheduler",
      },
    });
    const door = await front.door();
    await workers.up();
    const response = await fetch(`${door}/query`, {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=30" },
      body: JSON.stringify(question("Waitham", 1)),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ hit: false, state: "done" });
  });
});

describe("who follows", () => {
  test("goes on after the last event at another process when the first one is killed", async () => {
    const stateDir = newStateDir();
    // The first attempt fails and waits, so that there is time to die.
    const settings = {
      OFFLINE_SCRIPT: JSON.stringify([{ match: "Followham", replies: ["rate_limit:5s", "ok"] }]),
    };
    const first = startCauce({ stateDir, settings });
    const door = await first.door();
    const id = await queue(door, question("Followham", 1));
    const before = await follow(`${door}/query/${id}/events`, "waiting");
    expect(before.names).toEqual(["queued", "generating", "error", "waiting"]);
    await first.kill();
    const second = await startCauce({ stateDir, settings }).door();
    const after = await follow(`${second}/query/${id}/events`, "end", before.ids.at(-1));
    // The model has forgotten that it refused once, so there may be more of the same before the end.
    expect(after.names.slice(-3)).toEqual(["scored", "stored", "end"]);
    expect(after.names).not.toContain("queued");
    const ids = [...before.ids, ...after.ids].map(Number);
    expect(ids).toEqual([...new Set(ids)].toSorted((x, y) => x - y));
  });
});

test("when the line is longer than allowed, new questions are sent away with a time, and come in when it is over", async () => {
  const door = await startCauce({ settings: { OFFLINE_LATENCY_MS: "1500", ADMIT_WAIT_S: "2" } }).door();
  const asked = questions("Longlineham", 600);
  const refused = await eventually("the line is too long", async () => {
    const next = asked.shift();
    const answer = next && (await ask(door, next));
    return answer?.status === 503 ? answer : null;
  });
  const seconds = Number(refused.headers.get("retry-after"));
  expect(seconds).toBeWithin(1, 60);
  await Bun.sleep(seconds * 1_000);
  await queue(door, question("Lateham", 1));
});

describe("API keys", () => {
  test("are made and revoked by a command, told once, and needed from then on", async () => {
    const stateDir = newStateDir();
    const cauce = startCauce({ stateDir, settings: { LOG_LEVEL: "debug" } });
    const door = await cauce.door();
    const keys = async (...words: string[]) => {
      const child = Bun.spawn(
        [process.execPath, command, "exec", "handlers/shared/keys/command.ts", ...words],
        {
          env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", STATE_DIR: stateDir },
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
      return { out, code };
    };
    const asking = (key: string) =>
      fetch(`${door}/query`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify(question("Keyham", 1)),
      });

    expect((await post(door, JSON.stringify(question("Keyham", 1)))).status).toBe(202);
    expect((await keys("make")).code).toBe(2);
    expect((await keys("make", "somebody", "--per-minute", "0")).code).toBe(2);
    const made = await keys("make", "somebody", "--per-minute", "600");
    const key = made.out.trim();
    expect([made.code, key]).toEqual([0, expect.stringMatching(/^cauce_[0-9a-f]{12}_\S{43}$/)]);
    await eventually("a key is needed", async () => (await post(door, "{}")).status === 401);
    expect((await asking(key)).status).toBeWithin(200, 203);
    expect((await asking("cauce_000000000000_canary")).status).toBe(401);
    const listed = await keys("list");
    expect(listed.out).toContain("somebody");
    expect(listed.out).toContain("600 a minute");
    expect(listed.out).not.toContain(key);
    const id = key.split("_")[1] ?? "";
    expect((await keys("revoke", id)).code).toBe(0);
    expect((await keys("revoke", id)).code).toBe(1);
    await eventually("the key is revoked", async () => (await asking(key)).status === 401);
    const secret = key.slice(-43);
    expect(cauce.output()).not.toContain(secret);
    const rows = await sql(embeddedDatabase(stateDir), "select k::text from api_key as k");
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  test("are missing where others reach the door: it is not opened, and says what helps", async () => {
    const cauce = startCauce({ settings: { HOST: "0.0.0.0" } });
    expect(await cauce.exited).toBe(1);
    expect(cauce.output()).toContain("bun run keys make NAME");
    expect(cauce.output()).toContain("DOOR_GUARD=elsewhere");
  });
});
