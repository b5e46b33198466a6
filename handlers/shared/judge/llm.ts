/**
 * A judge that is a model behind the same OpenAI-compatible API.
 *
 * In: completions, a question, reference and answer. Out: five criteria as the model gave them; total and gate are
 * computed here. Never here: trust. What is judged stands between fences, and a reply that does not fit is refused.
 * Every word that the model reads is in rubric.json.
 */
import type { Completions } from "../model/openai.ts";
import { BadOutput, ModelError, type Usage } from "../model/model.ts";
import { fence, type ChatMessage } from "../model/prompt.ts";
import type { Judge, Judged } from "./judge.ts";
import { ACCURACY_GATE, DEFAULT_THRESHOLD, RUBRIC_DATA, gatePassed, rubricHash, totalOf } from "./rubric.ts";
import { medianOf, readVerdict, type Verdict } from "./verdict.ts";

const { prompt, schema, median, version } = RUBRIC_DATA;

export interface LlmJudgeOptions {
  /** The total that passes, 0 to 10: near it one verdict is not enough. Default that of rubric.json. */
  readonly threshold?: number;
}

/** One reply of the judge that fits, and what it and a repair before it have used. */
interface Reply {
  readonly verdict: Verdict;
  readonly usage: Usage;
  readonly calls: number;
}

/**
 * One call for each answer; where the verdict is near enough to the threshold or the gate to fall on either side, as
 * many as rubric.json says, and the median of each criterion counts. A reply that does not fit is asked for once more.
 */
export function llmJudge(
  completions: Completions,
  { threshold = DEFAULT_THRESHOLD }: LlmJudgeOptions = {},
): Judge {
  const name = `llm ${completions.model} (prompt ${prompt.version}, rubric ${version})`;
  const hash = rubricHash();
  return {
    name,
    model: completions.model,
    async score(judged, signal) {
      const messages = judgePrompt(judged);
      const first = await oneVerdict(completions, messages, signal);
      const others = isNear(first.verdict, threshold)
        ? await allOf(
            first,
            Array.from({ length: median.calls - 1 }, () => oneVerdict(completions, messages, signal)),
          )
        : [];
      const { rubric, feedback } = medianOf([first.verdict, ...others.map(({ verdict }) => verdict)]);
      return {
        score: totalOf(rubric),
        rubric,
        gate_passed: gatePassed(rubric),
        feedback,
        judge: name,
        rubric_hash: await hash,
        usage: sumOf([first, ...others].map(({ usage }) => usage)),
        calls: [first, ...others].reduce((sum, { calls }) => sum + calls, 0),
      };
    },
  };
}

/** What the judge is shown. Data of others stands between fences that it cannot close. */
export function judgePrompt(judged: Judged): readonly ChatMessage[] {
  const given: Readonly<Record<string, string>> = { ...judged };
  const parts = prompt.user.flatMap(({ tag, field, unless_blank }) => {
    const data = given[field] ?? "";
    return unless_blank === true && data.trim() === "" ? [] : [fence(tag, data)];
  });
  return [
    { role: "system", content: prompt.system.join("\n") },
    { role: "user", content: parts.join(prompt.fence.between) },
  ];
}

/** Could another verdict, not far from this one, decide otherwise? */
function isNear({ rubric }: Verdict, threshold: number): boolean {
  const total = totalOf(rubric);
  if (Math.abs(total - threshold) <= median.within) return true;
  return total >= threshold && Math.abs(rubric.accuracy - ACCURACY_GATE) <= median.within;
}

/** One more try, told what was wrong; then the retry policy of the pipeline decides. */
async function oneVerdict(
  completions: Completions,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
): Promise<Reply> {
  const first = await ask(completions, messages, signal);
  const read = readVerdict(first.answer);
  if ("verdict" in read) return { verdict: read.verdict, usage: first.usage, calls: 1 };
  const reminder: ChatMessage = { role: "user", content: prompt.repair.replace("{problem}", read.problem) };
  const second = await ask(completions, [...messages, reminder], signal);
  const again = readVerdict(second.answer);
  if ("problem" in again) {
    throw new BadOutput(
      `the judge's reply could not be used, twice: ${again.problem}`,
      sumOf([first.usage, second.usage]),
    );
  }
  return { verdict: again.verdict, usage: sumOf([first.usage, second.usage]), calls: 2 };
}

/** All replies; where one is bad output, that with what all of them have used. */
async function allOf(first: Reply, asked: readonly Promise<Reply>[]): Promise<readonly Reply[]> {
  const settled = await Promise.allSettled(asked);
  const replies = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failures = settled.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
  const [failure] = failures;
  if (failure === undefined) return replies;
  if (!(failure instanceof BadOutput)) throw failure;
  const lost = failures.flatMap((each) => (each instanceof ModelError ? (each.usage ?? []) : []));
  throw new BadOutput(failure.message, sumOf([first.usage, ...replies.map(({ usage }) => usage), ...lost]));
}

function ask(completions: Completions, messages: readonly ChatMessage[], signal: AbortSignal) {
  const jsonSchema = { name: "verdict", schema };
  return completions.complete({ messages, jsonSchema, temperature: prompt.temperature }, signal);
}

function sumOf(usages: readonly Usage[]): Usage {
  return {
    prompt_tokens: usages.reduce((sum, { prompt_tokens }) => sum + prompt_tokens, 0),
    completion_tokens: usages.reduce((sum, { completion_tokens }) => sum + completion_tokens, 0),
  };
}
