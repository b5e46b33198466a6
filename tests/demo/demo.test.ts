/** The newcomer's minute, as it is started from a shell. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUESTIONS } from "../../handlers/shared/demo/questions.ts";

const root = join(import.meta.dir, "../..");
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith("cauce-demo-"));

test("the demonstration brings ten questions to their answers, whatever this shell is configured for", async () => {
  const before = leftovers();
  const child = Bun.spawn(
    [process.execPath, "runtime/bin/cauce.ts", "exec", "handlers/shared/demo/command.ts"],
    {
      cwd: root,
      env: {
        ...process.env,
        KAFKA_BROKERS: "127.0.0.1:1",
        DATABASE_URL: "postgres://127.0.0.1:1/none",
        RUN: "ingress",
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [shown, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ code, complaints, shown: code === 0 ? "" : shown }).toEqual({
    code: 0,
    complaints: "",
    shown: "",
  });
  expect(shown).toContain("10 of 10 questions answered, stored and found again");
  // Others may run the demonstration too: only a folder that is new is ours.
  expect(leftovers().filter((folder) => !before.includes(folder))).toEqual([]);

  const [, summary = ""] = shown.split("Each one's way:\n");
  const ways = summary.split("\n").slice(0, QUESTIONS.length);
  const end = "→ stored → hit";
  // Each way is the one that the question's fate asks for.
  const expected = QUESTIONS.map(({ fate = [] }) => {
    const detours = fate.map((reply) => DETOURS[reply.split(":")[0] ?? ""] ?? "?");
    return new RegExp(`queued → generating ${detours.join("")}→ scored \\d+\\.\\d ${end}$`);
  });
  for (const [index, way] of ways.entries()) expect(way).toMatch(expected[index] ?? /no such question/);
  expect(summary).toMatch(/429, waits 2\.[12] s/);

  const [, rows = ""] = shown.split("(response_event):\n");
  for (const word of ["Tokyo", "Lima", "Velázquez", "Márquez", "forty", "1743"]) expect(rows).toContain(word);
  expect(shown).toContain("bun run handlers");
}, 120_000);

/** What the offline model was told → what a reader sees, as a pattern. */
const DETOURS: Readonly<Record<string, string>> = {
  rate_limit: "→ 429, waits \\d\\.\\d s → generating ",
  timeout: "→ timeout, waits \\d\\.\\d s → generating ",
  garbage: "→ bad answer, waits \\d\\.\\d s → generating ",
  server_error: "→ 500, waits \\d\\.\\d s → generating ",
  bad_answer: "→ scored \\d\\.\\d, again → generating ",
};
