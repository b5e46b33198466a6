/**
 * `bun run equivalence:flink`: recorded messages through the scoring handler and through the real job on a real cluster.
 *
 * In: how many (`--count`, default 1,000). Out: what both make of them, branch by branch, and every difference; exit code 1 when
 * there is one. Both judges: the offline one, and a model behind HTTP, called by ML_PREDICT. Never here: Flink's own setup.
 */
import { parseArgs } from "node:util";
import type { Judge } from "../../../handlers/shared/judge/judge.ts";
import { BadOutput } from "../../../handlers/shared/model/model.ts";
import { judgePrompt, llmJudge } from "../../../handlers/shared/judge/llm.ts";
import { offlineJudge } from "../../../handlers/shared/judge/offline.ts";
import type { IncomingRecord } from "../../../runtime/bus/bus.ts";
import { partitionOf } from "../../../runtime/bus/murmur2.ts";
import { deriveId, readEnvelope } from "../../../runtime/engine/envelope.ts";
import { startFlink } from "../cluster.ts";
import { PARTITIONS, throughCluster, type ClusterSide } from "./cluster-side.ts";
import { differences } from "./comparison.ts";
import { throughHandler } from "./handler-side.ts";
import { startJudgeServer, type Script } from "./judge-server.ts";
import { chanceOf } from "./questions.ts";
import { recordings } from "./recordings.ts";
import { inTheJobsOrder, JUDGE_MODEL, repliesOf, toldModel, type Replies } from "./verdicts.ts";

const { values } = parseArgs({ options: { count: { type: "string", default: "1000" } } });
const COUNT = Number(values.count);
/** Each takes up to six calls of the model. */
const JUDGED_COUNT = Math.ceil(COUNT / 4);
const FAILING_STATUS = [429, 500, 503];
/** One in so many judged records meets a model that fails. */
const FAILING_EVERY = 20;
const SHOWN = 10;

const say = (line: string) => void process.stderr.write(`${line}\n`);
const cluster = await startFlink(say);
let differing = 0;
try {
  const records = recordings(COUNT, 7);
  const offline = await throughCluster({ cluster, records, settings: {}, say });
  differing += await report("the offline judge", offline, () => offlineJudge());
  differing += await withModel();
} finally {
  await cluster.stop();
}
process.exit(differing === 0 ? 0 : 1);

/** The same with a judge that is a model. */
async function withModel(): Promise<number> {
  const chance = chanceOf(11);
  const script = new Map<string, readonly string[] | number>();
  const replies = new Map<string, readonly Replies[]>();
  const records = recordings(JUDGED_COUNT, 8, { distinct: true });
  for (const [index, record] of records.entries()) {
    const judged = readableValue(record);
    if (judged === null) continue;
    const asked = judgePrompt(judged)[1]?.content ?? "";
    const told = repliesOf(chance);
    replies.set(asked, told);
    const status = FAILING_STATUS[(index / FAILING_EVERY) % FAILING_STATUS.length];
    // Half of a surrogate pair cannot be carried to the model.
    script.set(
      asked.toWellFormed(),
      index % FAILING_EVERY === 0 && status !== undefined ? status : inTheJobsOrder(told),
    );
  }
  const server = startJudgeServer(script satisfies Script);
  try {
    const settings = {
      LLM_BASE_URL: server.baseUrl,
      LLM_MODEL: JUDGE_MODEL,
      LLM_API_KEY: "told",
      JUDGE_RETRIES: "1",
    };
    const side = await throughCluster({ cluster, records, settings, say });
    const judge: Judge = {
      name: "told",
      score(judged, signal) {
        const asked = judgePrompt(judged)[1]?.content ?? "";
        if (typeof script.get(asked.toWellFormed()) === "number") throw new BadOutput("told to fail");
        return llmJudge(toldModel(replies.get(asked) ?? []).completions).score(judged, signal);
      },
    };
    for (const complaint of new Set(server.complaints)) say(`the judge was asked wrongly: ${complaint}`);
    const found = await report("a judge that is a model", side, () => judge);
    return server.complaints.length + found + misnamedErrors(side, [...server.failed.values()]);
  } finally {
    await server.stop();
  }
}

/** What an HTTP status of the judge becomes in `llm.errors`. */
function misnamedErrors({ outputs }: ClusterSide, told: readonly number[]): number {
  const counts = new Map<string, number>();
  for (const { topic, value } of outputs)
    if (topic === "llm.errors") {
      const { error_type } = JSON.parse(new TextDecoder().decode(value ?? undefined)) as {
        error_type: string;
      };
      counts.set(error_type, (counts.get(error_type) ?? 0) + 1);
    }
  const limited = told.filter((status) => status === 429).length;
  say(`  llm.errors: ${JSON.stringify(Object.fromEntries(counts))}; told to fail: ${told.join(" ")}`);
  const named = counts.get("rate_limit") === limited && counts.get("overloaded") === told.length - limited;
  return named ? 0 : 1;
}

/** Compares, prints, and answers the number of differences. */
async function report(
  title: string,
  { inputs, outputs }: ClusterSide,
  judgeOf: () => Judge,
): Promise<number> {
  const found = new Map(
    outputs.map((output) => [headerOf(output, "cauce_message_id") ?? readEnvelope(output).id, output]),
  );
  const branches = new Map<string, number>();
  const wrong: string[] =
    outputs.length === inputs.length ? [] : [`${inputs.length} records became ${outputs.length}`];
  for (const input of inputs) {
    const { branch, published } = await throughHandler(input, judgeOf());
    branches.set(branch, (branches.get(branch) ?? 0) + 1);
    const { id } = readEnvelope(input);
    const ids = [id, ...["validated", "requests", "errors"].map((output) => deriveId(id, output, 0))];
    const made = ids.flatMap((own) => found.get(own) ?? [])[0];
    const complaints = made === undefined ? ["it came to nothing"] : complaintsOf(made, published, branch);
    wrong.push(...complaints.map((complaint) => `${id} (${branch}): ${complaint}`));
  }
  say(
    `\n${title}: ${inputs.length} recorded messages, ${outputs.length} published by the job, ${wrong.length} differences`,
  );
  for (const [branch, count] of [...branches].toSorted(([, a], [, b]) => b - a))
    say(`  ${String(count).padStart(5)}  ${branch}`);
  for (const line of wrong.slice(0, SHOWN)) say(`  ! ${line}`);
  return wrong.length;
}

function complaintsOf(
  made: IncomingRecord,
  published: Parameters<typeof differences>[0] | null,
  branch: string,
): readonly string[] {
  const place =
    made.key === null || partitionOf(made.key, PARTITIONS) === made.partition
      ? []
      : [
          `its key belongs on partition ${partitionOf(made.key, PARTITIONS)} and it lies on ${made.partition}`,
        ];
  if (published !== null) return [...differences(published, made), ...place];
  // The handler lets these wait as rows; the job hands them on.
  const wanted = branch === "newer_schema" ? "llm.generated.dlq" : "llm.errors";
  return made.topic === wanted ? place : [`it went to ${made.topic} instead of ${wanted}`];
}

function headerOf({ headers }: IncomingRecord, name: string): string | undefined {
  const bytes = headers.find(([own]) => own === name)?.[1];
  return bytes === undefined || bytes === null ? undefined : new TextDecoder().decode(bytes);
}

/** What the judge is shown of a record; null where it will not get that far. */
function readableValue({ value }: IncomingRecord) {
  try {
    const { title, content, best_answer, answer } = JSON.parse(new TextDecoder().decode(value ?? undefined));
    return [title, content, best_answer, answer].every((text) => typeof text === "string")
      ? { title, content, best_answer, answer }
      : null;
  } catch {
    return null;
  }
}
