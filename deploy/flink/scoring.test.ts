/** What the Flink job does with a record is what the scoring handler does with it. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Judge } from "../../handlers/shared/judge/judge.ts";
import { llmJudge } from "../../handlers/shared/judge/llm.ts";
import { offlineJudge } from "../../handlers/shared/judge/offline.ts";
import { RUBRIC_DATA } from "../../handlers/shared/judge/rubric.ts";
import type { IncomingRecord, OutgoingRecord } from "../../runtime/bus/bus.ts";
import { differences } from "./equivalence/comparison.ts";
import { JUDGE_FAILED, throughHandler } from "./equivalence/handler-side.ts";
import { PYTHON, throughPython, type PythonSide } from "./equivalence/python-side.ts";
import { chanceOf } from "./equivalence/questions.ts";
import { recordings } from "./equivalence/recordings.ts";
import { inTheJobsOrder, JUDGE_MODEL, repliesOf, toldModel } from "./equivalence/verdicts.ts";
import { SOURCE_FILE, sourceText } from "./source.ts";

const COUNT = 1_000;
const SEED = 7;
/** Branches of the handler; each must be met so often among the recorded messages. */
const LEAST_OF_EACH = 5;
const BRANCHES = [
  "passed",
  "again, gate not passed",
  "again, gate not passed, the best so far stays",
  "again, below the threshold",
  "again, below the threshold, the best so far stays",
  "attempts spent, this answer is delivered",
  "attempts spent, the best so far is delivered",
  "too old, this answer is delivered",
  "too old, the best so far is delivered",
  "undecodable",
  "invalid_value",
  "newer_schema",
];

test("scoring.json is what the handlers say now (bun deploy/flink/source.ts)", async () => {
  // The formatter breaks its lines as it likes.
  expect(JSON.parse(readFileSync(SOURCE_FILE, "utf8"))).toEqual(JSON.parse(await sourceText()));
});

const title = PYTHON === null ? "skipped because there is no python3: " : "";

describe.skipIf(PYTHON === null)("the job and the handler", () => {
  test(`${title}publish the same for ${COUNT} records, byte for byte, with the offline judge`, async () => {
    const records = recordings(COUNT, SEED);
    const python = await throughPython(
      records.map((record) => ({ record })),
      null,
    );
    const { branches, wrong } = await compare(records, python, () => offlineJudge());
    expect(wrong).toEqual([]);
    expectBranches(branches, BRANCHES);
  });

  test(`${title}publish the same for ${COUNT} records with a judge that is a model, and ask it the same`, async () => {
    const records = recordings(COUNT, SEED + 1);
    const chance = chanceOf(SEED);
    const replies = records.map(() => repliesOf(chance));
    const python = await throughPython(
      records.map((record, index) => ({ record, replies: inTheJobsOrder(replies[index] ?? []) })),
      JUDGE_MODEL,
    );
    const asked: (readonly string[])[] = [];
    const { branches, wrong } = await compare(records, python, (index) => {
      const told = toldModel(replies[index] ?? []);
      asked[index] = told.asked;
      return llmJudge(told.completions);
    });
    expect(wrong).toEqual([]);
    expectBranches(branches, [...BRANCHES, JUDGE_FAILED]);
    // After a reply that cannot be used twice the handler has asked the others already.
    const differing = python.filter(({ prompts, published }, index) => {
      const same = JSON.stringify(prompts.toSorted()) === JSON.stringify(asked[index]?.toSorted() ?? []);
      return !same && published.topic !== "llm.errors";
    });
    expect(differing).toEqual([]);
    const calls = new Set(python.map(({ prompts }) => prompts.length));
    expect(calls).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    expect(RUBRIC_DATA.median.calls).toBe(3);
  });

  test.each([
    [429, "rate_limit"],
    [503, "overloaded"],
    [null, "unavailable"],
  ])(`${title}a judge that answers %p sends the question to llm.errors as %s`, async (status, error_type) => {
    const record = readable();
    const failure = { status, message: "busy" };
    const [made] = await throughPython([{ record, failure }], JUDGE_MODEL);
    const value = JSON.parse(new TextDecoder().decode(made?.published.value ?? undefined));
    const { id, attempts } = JSON.parse(new TextDecoder().decode(record.value ?? undefined));
    expect(made?.published.topic).toBe("llm.errors");
    expect(value).toMatchObject({ id, attempts, error_type, message: "the judge: busy" });
    expect(value).not.toHaveProperty("answer");
  });

  test(`${title}a judge that refuses us stops the job: no question is spent on it`, async () => {
    const refused = throughPython(
      [{ record: readable(), failure: { status: 401, message: "no such key" } }],
      JUDGE_MODEL,
    );
    expect(await refused.catch(String)).toContain("PermissionError: the judge refuses us: no such key");
  });

  test(`${title}a record that meets a defect becomes a dead letter, and the others go on`, async () => {
    const broken = { record: readable(), replies: [5 as unknown as string] };
    const [first, second] = await throughPython([broken, { record: { ...readable(), value: null } }], "m");
    const causes = [first, second].map((made) => headerOf(made?.published, "cauce_cause"));
    expect(causes).toEqual(["TypeError", "undecodable"]);
  });

  test(`${title}a record that is too large for the dead letter topic leaves a stub`, async () => {
    const record = { ...readable(), value: new Uint8Array(1_000_001) };
    const [made] = await throughPython([{ record }], null);
    const { topic, key, value, headers } = made?.published ?? {};
    expect({ topic, key, value }).toEqual({ topic: "llm.generated.dlq", key: null, value: null });
    expect(headers?.map(([name]) => name)).toContain("cauce_stub");
  });

  test(`${title}an output that is too large becomes a dead letter`, async () => {
    const value = { ...JSON.parse(new TextDecoder().decode(readable().value ?? undefined)) };
    // Fits with the reason beside it, and not with a score.
    const long = { ...value, content: "x".repeat(999_350) };
    const record = { ...readable(), value: new TextEncoder().encode(JSON.stringify(long)) };
    const [made] = await throughPython([{ record }], null);
    expect(made?.published.topic).toBe("llm.generated.dlq");
    expect(headerOf(made?.published, "cauce_cause")).toBe("record_too_large");
  });
});

/** A record that the handler can read. */
function readable(): IncomingRecord {
  const text = JSON.stringify({
    id: "0123456789abcdef0123456789abcdef",
    title: "Who?",
    content: "",
    best_answer: "Eva",
    attempts: 2,
    round: 1,
    deferrals: 0,
    answer: "Adam.",
    model: "m",
  });
  const place = { topic: "llm.generated", partition: 0, offset: 0, timestampMs: 0 };
  return { ...place, key: null, value: new TextEncoder().encode(text), headers: [] };
}

function headerOf(record: OutgoingRecord | undefined, wanted: string): string {
  const bytes = record?.headers.find(([name]) => name === wanted)?.[1];
  return new TextDecoder().decode(bytes ?? undefined);
}

async function compare(
  records: readonly IncomingRecord[],
  python: readonly PythonSide[],
  judgeOf: (index: number) => Judge,
) {
  const branches = new Map<string, number>();
  const wrong: string[] = [];
  for (const [index, record] of records.entries()) {
    const { branch, published } = await throughHandler(record, judgeOf(index));
    branches.set(branch, (branches.get(branch) ?? 0) + 1);
    const made = python[index]?.published;
    if (made === undefined) wrong.push(`record ${index}: the job published nothing`);
    else if (published === null) wrong.push(...misplaced(index, branch, made.topic));
    else wrong.push(...differences(published, made).map((one) => `record ${index} (${branch}): ${one}`));
  }
  return { branches, wrong };
}

/** Where the handler lets a message wait as a row, the job has nowhere to wait: it hands the message on. */
function misplaced(index: number, branch: string, topic: string): readonly string[] {
  const wanted = branch === "newer_schema" ? "llm.generated.dlq" : "llm.errors";
  return topic === wanted ? [] : [`record ${index} (${branch}): went to ${topic} instead of ${wanted}`];
}

function expectBranches(branches: ReadonlyMap<string, number>, names: readonly string[]): void {
  const rare = names.filter((name) => (branches.get(name) ?? 0) < LEAST_OF_EACH);
  expect({ rare, unknown: [...branches.keys()].filter((name) => !names.includes(name)) }).toEqual({
    rare: [],
    unknown: [],
  });
}
