/**
 * How often the offline judge agrees with people: AUC, accuracy and Cohen's kappa, per answering system and overall.
 *
 * In: `bun bench/judge-agreement.ts FILE [ROUNDS]` with an EVOUNA file. Out: a table of the half that tuning never saw, with
 * bootstrap 95 % intervals over questions, and one JSON line. Never here: training (see judge-train.ts).
 */
import { judgeOffline } from "../handlers/shared/judge/offline.ts";
import { passes } from "../handlers/shared/judge/rubric.ts";
import { labelledAnswers, type LabelledAnswer } from "./judge-data.ts";

interface Verdict {
  readonly row: LabelledAnswer;
  readonly accuracy: number;
  readonly passed: boolean;
}

const path = process.argv[2];
if (path === undefined) throw new Error("usage: bun bench/judge-agreement.ts FILE [BOOTSTRAP_ROUNDS]");
const rounds = Number(process.argv[3] ?? 200);
const verdicts = (await labelledAnswers(path)).map((row): Verdict => {
  const judgement = judgeOffline({
    title: row.title,
    content: "",
    best_answer: row.reference,
    answer: row.answer,
  });
  return { row, accuracy: judgement.rubric.accuracy, passed: passes(judgement) };
});
const unseen = verdicts.filter(({ row }) => row.half === "unseen");
for (const system of new Set(unseen.map(({ row }) => row.system))) {
  print(
    system,
    unseen.filter(({ row }) => row.system === system),
  );
}
print(
  "all, tuning half",
  verdicts.filter(({ row }) => row.half === "tuning"),
);
const all = print("all, unseen half", unseen);
const line = {
  name: "judge-agreement",
  value: all.auc[0],
  low: all.auc[1],
  high: all.auc[2],
  unit: "AUC",
  reference: "people's labels",
  must: 0.92,
  aim: 0.95,
};
const pass = all.auc[1] >= line.must && all.kappa[1] >= 0.69;
process.stdout.write(`${JSON.stringify({ ...line, pass, kappa: all.kappa, accuracy: all.accuracy })}\n`);

function print(name: string, sample: readonly Verdict[]) {
  const result = {
    auc: interval(sample, auc),
    accuracy: interval(sample, agreement),
    kappa: interval(sample, kappa),
  };
  const cells = Object.entries(result).map(([key, [value, low, high]]) => `${key} ${value} (${low}–${high})`);
  process.stdout.write(`${name.padEnd(18)} n=${String(sample.length).padEnd(6)} ${cells.join("  ")}\n`);
  return result;
}

/** Value, low and high end: questions are drawn with replacement, all answers to one together. Fixed seed. */
function interval(sample: readonly Verdict[], measure: (sample: readonly Verdict[]) => number) {
  const groups = [...Map.groupBy(sample, ({ row }) => row.title).values()];
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const drawn = Array.from({ length: rounds }, () =>
    measure(groups.flatMap(() => groups[Math.floor(random() * groups.length)] ?? [])),
  ).toSorted((left, right) => left - right);
  const at = (share: number) => round(drawn[Math.floor(share * (drawn.length - 1))] ?? NaN);
  return [round(measure(sample)), at(0.025), at(0.975)] as const;
}

function auc(sample: readonly Verdict[]): number {
  const sorted = sample.toSorted((left, right) => left.accuracy - right.accuracy);
  let rankSum = 0;
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (end < sorted.length && sorted[end]?.accuracy === sorted[start]?.accuracy) end++;
    const rights = sorted.slice(start, end).filter(({ row }) => row.right).length;
    rankSum += rights * ((start + 1 + end) / 2);
    start = end;
  }
  const rights = sample.filter(({ row }) => row.right).length;
  return (rankSum - (rights * (rights + 1)) / 2) / (rights * (sample.length - rights));
}

function agreement(sample: readonly Verdict[]): number {
  return sample.filter(({ row, passed }) => row.right === passed).length / sample.length;
}

function kappa(sample: readonly Verdict[]): number {
  const right = sample.filter(({ row }) => row.right).length / sample.length;
  const passed = sample.filter((verdict) => verdict.passed).length / sample.length;
  const chance = right * passed + (1 - right) * (1 - passed);
  return (agreement(sample) - chance) / (1 - chance);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
