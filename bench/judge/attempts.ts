/**
 * What regeneration does to answers whose truth people have told: recorded systems stand for successive attempts.
 *
 * In: for each question its judged answers in order, a threshold, with or without the accuracy gate. Out: how questions
 * ended, and how many answers were thrown away that were right. Never here: judging, the pipeline; its rules are those of
 * handlers/llm.generated.ts: the first answer that passes, else the best.
 */
export interface Attempt {
  readonly right: boolean;
  readonly score: number;
  readonly gate_passed: boolean;
}

export interface Rule {
  readonly threshold: number;
  readonly gate: boolean;
}

export interface Outcomes {
  readonly questions: number;
  /** Of the first answers, without any judge. */
  readonly firstRight: number;
  readonly acceptedRight: number;
  readonly acceptedWrong: number;
  /** Delivered with `below_threshold`, since attempts ran out. */
  readonly belowRight: number;
  readonly belowWrong: number;
  /** Answers generated, all questions together. */
  readonly generations: number;
  /** Right answers that were rejected, so that another one was generated. */
  readonly forNothing: number;
  /** Wrong ones likewise. */
  readonly forCause: number;
}

export function outcomesOf(questions: readonly (readonly Attempt[])[], rule: Rule): Outcomes {
  const count = {
    questions: questions.length,
    firstRight: 0,
    acceptedRight: 0,
    acceptedWrong: 0,
    belowRight: 0,
    belowWrong: 0,
    generations: 0,
    forNothing: 0,
    forCause: 0,
  };
  for (const attempts of questions) {
    const accepted = attempts.findIndex((attempt) => passesRule(attempt, rule));
    const made = accepted === -1 ? attempts.length : accepted + 1;
    const delivered = accepted === -1 ? bestOf(attempts, rule) : attempts[accepted];
    if (attempts[0]?.right === true) count.firstRight++;
    count.generations += made;
    // The last one is followed by no other.
    for (const { right } of attempts.slice(0, accepted === -1 ? made - 1 : accepted)) {
      count[right ? "forNothing" : "forCause"]++;
    }
    const end = accepted === -1 ? "below" : "accepted";
    count[`${end}${delivered?.right === true ? "Right" : "Wrong"}`]++;
  }
  return count;
}

/** Right answers delivered, accepted or not. */
export function deliveredRight({ acceptedRight, belowRight }: Outcomes): number {
  return acceptedRight + belowRight;
}

function passesRule({ score, gate_passed }: Attempt, { threshold, gate }: Rule): boolean {
  return score >= threshold && (gate_passed || !gate);
}

/** As `betterOf` of handlers/shared/flow/stages.ts; without the gate the score alone decides. */
function bestOf(attempts: readonly Attempt[], { gate }: Rule): Attempt | undefined {
  let best = attempts[0];
  for (const attempt of attempts.slice(1)) {
    if (best === undefined) break;
    const gates = gate ? Number(attempt.gate_passed) - Number(best.gate_passed) : 0;
    if (gates > 0 || (gates === 0 && attempt.score > best.score)) best = attempt;
  }
  return best;
}
