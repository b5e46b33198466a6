/**
 * A judge's replies, written ahead: good ones, ones near the threshold, ones that do not fit.
 *
 * In: chance. Out: for each verdict that may be asked for, its first reply and the one after the reminder; a model that gives
 * them to the handler, and the same replies in the order in which the job asks. Never here: what they amount to.
 */
import type { Completions } from "../../../handlers/shared/model/openai.ts";
import { readVerdict } from "../../../handlers/shared/judge/verdict.ts";
import { CRITERIA, RUBRIC_DATA } from "../../../handlers/shared/judge/rubric.ts";
import { oneOf, type Chance } from "./questions.ts";

export const JUDGE_MODEL = "told-judge";

/** The first reply of a verdict, and what comes after the reminder. */
export type Replies = readonly [first: string, repaired: string];

/** One verdict, and those that are asked for near the threshold or the gate. */
export function repliesOf(chance: Chance): readonly Replies[] {
  return Array.from({ length: RUBRIC_DATA.median.calls }, () => [replyOf(chance), replyOf(chance)] as const);
}

/** What the model is asked in each call, and what it replies to the handler. */
export function toldModel(replies: readonly Replies[]) {
  const asked: string[] = [];
  const repairs: string[] = [];
  let verdicts = 0;
  const completions: Completions = {
    model: JUDGE_MODEL,
    complete({ messages }) {
      asked.push(
        messages
          .slice(1)
          .map(({ content }) => content)
          .join(RUBRIC_DATA.prompt.fence.between),
      );
      // The others of a median are asked at the same time, and each is repaired in its turn.
      const reply = messages.length > 2 ? repairs.shift() : firstOf(replies[verdicts++], repairs);
      const usage = { prompt_tokens: 0, completion_tokens: 0 };
      return Promise.resolve({ answer: reply ?? "", model: JUDGE_MODEL, usage });
    },
  };
  return { completions, asked };
}

/** One after the other: a verdict, where it does not fit its repair, then the next. */
export function inTheJobsOrder(replies: readonly Replies[]): readonly string[] {
  return replies.flatMap(([first, repaired]) =>
    "problem" in readVerdict(first) ? [first, repaired] : [first],
  );
}

function firstOf(replies: Replies | undefined, repairs: string[]): string {
  const [first, repaired] = replies ?? ["", ""];
  if ("problem" in readVerdict(first)) repairs.push(repaired);
  return first;
}

function replyOf(chance: Chance): string {
  const points = oneOf<() => number>([() => 9, () => 2, () => 5 + Math.floor(chance() * 21) / 10], chance);
  const verdict: Record<string, unknown> = {
    rationale: "as it seems",
    ...Object.fromEntries(CRITERIA.map((name) => [name, points()])),
    feedback: oneOf(["Say more.", "", "ñ\u2028\ud800", "🙂".repeat(1_500), "x".repeat(3_000)], chance),
  };
  return oneOf(FORMS, chance)(verdict);
}

const FORMS: readonly ((verdict: Record<string, unknown>) => string)[] = [
  ...Array.from({ length: 8 }, () => (verdict: Record<string, unknown>) => JSON.stringify(verdict)),
  (verdict) => `\`\`\`json\n${JSON.stringify(verdict, null, 1)}\n\`\`\`\u00a0`,
  (verdict) => ` \`\`\`${JSON.stringify(verdict)}\`\`\` `,
  (verdict) => `Sure! ${JSON.stringify(verdict)}`,
  (verdict) => JSON.stringify({ ...verdict, score: 10 }),
  (verdict) => JSON.stringify({ ...verdict, accuracy: 10.01 }),
  (verdict) => JSON.stringify({ ...verdict, clarity: true }),
  (verdict) => JSON.stringify({ ...verdict, rationale: undefined }),
  (verdict) => JSON.stringify([verdict]),
  () => "null",
  () => "{",
];
