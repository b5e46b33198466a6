import { afterEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testConsole } from "../harness/test-console.ts";
import judgeAgreement from "./command.ts";
import { INVENTED_ROWS } from "./invented.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function file(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cauce-judge-"));
  closers.push(() => rm(folder, { recursive: true }));
  const path = join(folder, "answers.json");
  await Bun.write(path, text);
  return path;
}

async function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { console, said } = testConsole();
  const code = await judgeAgreement({ projectDir: ".", environment, arguments: args, console });
  return { code, ...said };
}

const lastLine = (text: string) =>
  JSON.parse(text.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;

/** A model that lets every answer pass and counts what it was asked. */
function generousModel() {
  const verdict = {
    rationale: "fine",
    accuracy: 10,
    completeness: 10,
    clarity: 10,
    conciseness: 10,
    usefulness: 10,
    feedback: "Nothing.",
  };
  let calls = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      calls++;
      const message = { role: "assistant", content: JSON.stringify(verdict) };
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
      const choices = [{ index: 0, finish_reason: "stop", message }];
      return Response.json({ id: "1", object: "chat.completion", created: 1, model: "m", choices, usage });
    },
  });
  closers.push(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}/v1`, calls: () => calls };
}

describe("bun run judge:agreement", () => {
  test("tells the offline judge's agreement per system, both halves and with one system left out", async () => {
    const { out } = await run(["--data", await file(JSON.stringify(INVENTED_ROWS)), "--rounds", "20"]);
    expect(out).toContain("judge: offline-lexical");
    for (const row of ["a ", "b ", "all, half used for tuning", "all, never seen by tuning"]) {
      expect(out).toMatch(new RegExp(`^${row} *n=\\d+ .*AUC .*accuracy .*kappa `, "m"));
    }
    expect(out).toContain("leave one system out");
    expect(lastLine(out)).toMatchObject({
      name: "judge-agreement",
      unit: "AUC",
      must: 0.92,
      must_kappa: 0.69,
    });
  });

  test("asks the configured model instead, about so many answers as allowed", async () => {
    const model = generousModel();
    const path = await file(JSON.stringify(INVENTED_ROWS));
    const environment = { LLM_BASE_URL: model.url, LLM_MODEL: "m", LLM_API_KEY: "k" };
    const { out } = await run(["--data", path, "--untuned", "--limit", "6", "--rounds", "5"], environment);
    expect(out).toContain("judge: llm m");
    expect(model.calls()).toBe(6);
    expect(lastLine(out)).toMatchObject({ answers: 6, failed: 0, kappa: [0, 0, 0] });
  });

  test("makes right and wrong answers from passages", async () => {
    const passage = "The river Tagus rises in Aragon. It ends in Lisbon after 1007 km. Ana sailed it in May.";
    const qas = [
      { question: "Where does the river end?", answers: [{ text: "Lisbon" }] },
      { question: "How long is the river?", answers: [{ text: "1007 km" }] },
      { question: "Who sailed it?", answers: [{ text: "Ana" }] },
    ];
    const { out } = await run([
      "--data",
      await file(JSON.stringify({ data: [{ paragraphs: [{ context: passage, qas }] }] })),
      "--rounds",
      "5",
    ]);
    expect(out).toMatch(/^sentence +n=3 +right +accepted 1/m);
    expect(out).toMatch(/^other answer +n=3 +wrong +rejected 1/m);
    expect(out).toMatch(/^number changed +n=1 +wrong +rejected 1/m);
  });

  test.each([
    [[], "needs --data"],
    [["--data", "/absent.json"], "/absent.json cannot be read"],
    [["--data", "x", "--limit", "0"], "--limit 0"],
    [["--wat"], "--wat"],
  ])("%p is refused with what was expected", async (args, message) => {
    const { code, failed } = await run(args);
    expect(code).toBe(2);
    expect(failed).toContain(message);
    expect(failed).toContain("usage:");
  });
});
