/**
 * What regeneration does, for people: a table in Markdown and a picture.
 */
import { barChart } from "../../handlers/shared/charts/bar-chart.ts";
import { lineChart } from "../../handlers/shared/charts/line-chart.ts";
import { deliveredRight, type Outcomes, type Rule } from "./attempts.ts";

export interface Result {
  readonly rule: Rule;
  readonly outcomes: Outcomes;
}

const COLUMNS = [
  "threshold",
  "gate",
  "first answer right",
  "delivered right",
  "accepted, right",
  "accepted, wrong",
  "below, right",
  "below, wrong",
  "regenerated for nothing",
  "regenerated for cause",
  "answers per question",
] as const;

export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ rule, outcomes }) => {
    const share = (count: number) => `${((100 * count) / outcomes.questions).toFixed(1)} %`;
    const { firstRight, acceptedRight, acceptedWrong, belowRight, belowWrong } = outcomes;
    return [
      String(rule.threshold),
      rule.gate ? "yes" : "no",
      share(firstRight),
      share(deliveredRight(outcomes)),
      ...[acceptedRight, acceptedWrong, belowRight, belowWrong].map(share),
      String(outcomes.forNothing),
      String(outcomes.forCause),
      (outcomes.generations / outcomes.questions).toFixed(2),
    ];
  });
  const lines = [COLUMNS, COLUMNS.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** How questions end, beside the first answer alone, which no judge has seen. */
export function endsPicture(results: readonly Result[]): string {
  const first = results[0]?.outcomes;
  const alone = first && [first.firstRight, first.questions - first.firstRight, 0, 0];
  const bars = results.map(({ rule, outcomes }) => ({
    name: String(rule.threshold),
    group: groupOf(rule),
    parts: percents(
      [outcomes.acceptedRight, outcomes.acceptedWrong, outcomes.belowRight, outcomes.belowWrong],
      outcomes,
    ),
  }));
  return barChart({
    title: "How questions end, by threshold",
    description:
      "Stacked bars: the first answer alone, then one for each threshold from 5 to 8, with the accuracy gate and without it. Each shows the share of questions whose answer was accepted and right, accepted and wrong, or delivered below the threshold, right or wrong. The numbers are in the table.",
    xLabel: "threshold",
    yLabel: "% of questions",
    partNames: ["accepted, right", "accepted, wrong", "below threshold, right", "below threshold, wrong"],
    bars: [
      ...(first && alone ? [{ name: "none", group: "no judge", parts: percents(alone, first) }] : []),
      ...bars,
    ],
    standalone: true,
  });
}

/** The two mistakes that a threshold trades against each other. */
export function mistakesPicture(results: readonly Result[]): string {
  const line = (name: string, gate: boolean, count: (outcomes: Outcomes) => number) => ({
    name: `${name}, ${groupOf({ gate })}`,
    points: results
      .filter(({ rule }) => rule.gate === gate)
      .map(({ rule, outcomes }) => [rule.threshold, (100 * count(outcomes)) / outcomes.questions] as const),
  });
  const accepted = ({ acceptedWrong }: Outcomes) => acceptedWrong;
  const thrownAway = ({ forNothing }: Outcomes) => forNothing;
  return lineChart({
    title: "Mistakes by threshold, for 100 questions",
    description:
      "Four lines over the thresholds 5 to 8: wrong answers that were kept (accepted) fall with the threshold, right answers that were lost (regenerated for nothing) rise; with the accuracy gate the first are fewer at low thresholds. The numbers are in the table.",
    xLabel: "threshold",
    yLabel: "for 100 questions",
    series: [
      line("wrong kept", true, accepted),
      line("wrong kept", false, accepted),
      line("right lost", true, thrownAway),
      line("right lost", false, thrownAway),
    ],
    xTicks: results.filter(({ rule }) => rule.gate).map(({ rule }) => rule.threshold),
    standalone: true,
  });
}

function groupOf({ gate }: Pick<Rule, "gate">): string {
  return gate ? "gate" : "no gate";
}

function percents(counts: readonly number[], { questions }: Outcomes): readonly number[] {
  return counts.map((count) => Math.round((1_000 * count) / questions) / 10);
}
