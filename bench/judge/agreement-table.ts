/**
 * Agreement for people: one line a system.
 */
import { shareOf, type Agreement, type Interval, type Verdict } from "./agreement.ts";

const NAME_WIDTH = 26;

export function rowOf(name: string, { answers, right, auc, accuracy, kappa }: Agreement): string {
  const cell = ([value, low, high]: Interval) => `${value.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
  const cells = [`AUC ${cell(auc)}`, `accuracy ${cell(accuracy)}`, `kappa ${cell(kappa)}`];
  return `${name.padEnd(NAME_WIDTH)} n=${String(answers).padEnd(6)} right ${right.toFixed(3)}  ${cells.join("  ")}\n`;
}

/** For answers that are all right or all wrong, by how they were made: there is nothing but a share to tell. */
export function wayRowOf(name: string, verdicts: readonly Verdict[]): string {
  const right = verdicts[0]?.right === true;
  const agreed = shareOf(verdicts, ({ passed }) => passed === right);
  const label = right ? "right" : "wrong";
  const says = right ? "accepted" : "rejected";
  return `${name.padEnd(NAME_WIDTH)} n=${String(verdicts.length).padEnd(6)} ${label}  ${says} ${agreed.toFixed(3)}\n`;
}
