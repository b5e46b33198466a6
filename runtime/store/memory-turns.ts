/**
 * Turns in memory: the same rules as Postgres within one process.
 *
 * In: a clock, who wants a turn. Out: answers in the same order.
 */
import type { Clock } from "../ground/clock.ts";
import { TURN_RULES, type TurnAnswer, type Turns, type TurnsAsked, type TurnWanted } from "./turns.ts";

/** Times in ms, paces a minute; -Infinity: never. */
interface Budget {
  slowed: number | null;
  slowedAtMs: number;
  raisedAtMs: number;
  refusedPace: number;
  nextAtMs: number;
  tokensNextAtMs: number;
  pausedUntilMs: number;
  given: number;
  passed: number;
  turnMs: number;
  measured: number;
  counted: number;
  countedFromMs: number;
  readonly running: Map<string, { readonly turns: number; readonly aliveUntilMs: number }>;
}

const MINUTE_MS = 60_000;

export function memoryTurns({ clock }: { readonly clock: Clock }): Turns {
  const budgets = new Map<string, Budget>();
  return {
    async take(asked) {
      const nowMs = clock.nowMs();
      let budget = budgets.get(asked.budget);
      if (budget === undefined) budgets.set(asked.budget, (budget = newBudget(nowMs)));
      hear(budget, asked, nowMs);
      const answers = new Map<TurnWanted, TurnAnswer>();
      const { wanted, process, limits } = asked;
      let { running } = asked;
      const busy = [...budget.running]
        .filter(([other, { aliveUntilMs }]) => other !== process && aliveUntilMs > nowMs)
        .reduce((sum, [, { turns }]) => sum + turns, 0);
      for (const want of wanted.toSorted((a, b) => (a.ticket ?? Infinity) - (b.ticket ?? Infinity))) {
        const full = limits.inFlight !== undefined && busy + running >= limits.inFlight;
        const answer = turnFor(budget, want, { asked, nowMs, full });
        if (answer.granted) running++;
        answers.set(want, answer);
      }
      budget.running.set(process, { turns: running, aliveUntilMs: nowMs + TURN_RULES.aliveMs });
      return wanted.map((want) => answers.get(want) ?? { granted: true, waitMs: 0, ticket: null });
    },
  };
}

function newBudget(nowMs: number): Budget {
  return {
    slowed: null,
    slowedAtMs: -Infinity,
    raisedAtMs: nowMs,
    refusedPace: 1,
    nextAtMs: -Infinity,
    tokensNextAtMs: -Infinity,
    pausedUntilMs: -Infinity,
    given: 0,
    passed: 0,
    turnMs: 0,
    measured: 0,
    counted: 0,
    countedFromMs: nowMs,
    running: new Map(),
  };
}

/** What has become of earlier turns, and what the pace is from now on. */
function hear(budget: Budget, { limits, ...news }: TurnsAsked, nowMs: number): void {
  const { slowTo, slowEveryMs, raisePerSecond, measureMs, creditMs } = TURN_RULES;
  const { perMinute = Infinity } = limits;
  if (news.turnMs > 0) {
    budget.turnMs = budget.turnMs === 0 ? news.turnMs : 0.8 * budget.turnMs + 0.2 * news.turnMs;
  }
  if (nowMs - budget.countedFromMs >= measureMs) {
    budget.measured = (budget.counted * MINUTE_MS) / (nowMs - budget.countedFromMs);
    budget.counted = 0;
    budget.countedFromMs = nowMs;
  }
  if (budget.slowed !== null) {
    const declared = limits.perMinute ?? budget.refusedPace;
    budget.slowed += ((nowMs - budget.raisedAtMs) / 1_000) * raisePerSecond * declared;
    if (budget.slowed >= (limits.perMinute ?? 4 * budget.refusedPace)) budget.slowed = null;
  }
  budget.raisedAtMs = nowMs;
  if (news.refused && nowMs - budget.slowedAtMs >= slowEveryMs) {
    const counting = (budget.counted * MINUTE_MS) / Math.max(1_000, nowMs - budget.countedFromMs);
    const through = Math.max(budget.measured, counting);
    budget.refusedPace = Math.max(1, Math.min(budget.slowed ?? perMinute, through));
    budget.slowed = slowTo * budget.refusedPace;
    budget.slowedAtMs = nowMs;
  }
  if (news.pauseMs > 0) budget.pausedUntilMs = Math.max(budget.pausedUntilMs, nowMs + news.pauseMs);
  budget.nextAtMs = Math.max(budget.nextAtMs, nowMs - creditMs) + news.requests * gapOf(budget, perMinute);
  if (limits.tokensPerMinute !== undefined) {
    budget.tokensNextAtMs =
      Math.max(budget.tokensNextAtMs, nowMs) + (news.tokens * MINUTE_MS) / limits.tokensPerMinute;
  }
}

function turnFor(
  budget: Budget,
  want: TurnWanted,
  { asked, nowMs, full }: { readonly asked: TurnsAsked; readonly nowMs: number; readonly full: boolean },
): TurnAnswer {
  const { perMinute = Infinity, tokensPerMinute, inFlight } = asked.limits;
  const gapMs = gapOf(budget, perMinute);
  const lineMs = Math.max(gapMs, inFlight === undefined ? 0 : budget.turnMs / inFlight);
  const ticket = want.ticket !== null && want.ticket <= budget.given ? want.ticket : null;
  const before = Math.max(0, (ticket === null ? budget.given : ticket - 1) - budget.passed);
  const slotMs = Math.max(
    budget.nextAtMs,
    budget.pausedUntilMs,
    tokensPerMinute === undefined ? -Infinity : budget.tokensNextAtMs,
  );
  const untilMs = Math.max(0, slotMs - nowMs);
  const place = () => ticket ?? ++budget.given;
  if (full) {
    const waitMs = Math.max(TURN_RULES.againMs, untilMs, (before + 1) * lineMs);
    return { granted: false, waitMs, ticket: place() };
  }
  const waitMs = untilMs + before * lineMs;
  if (waitMs > TURN_RULES.aheadMs && untilMs > 0) return { granted: false, waitMs, ticket: place() };
  budget.nextAtMs = Math.max(slotMs, nowMs - TURN_RULES.creditMs) + gapMs;
  if (tokensPerMinute !== undefined) {
    budget.tokensNextAtMs =
      Math.max(budget.tokensNextAtMs, nowMs) + (want.tokens * MINUTE_MS) / tokensPerMinute;
  }
  if (ticket !== null) budget.passed = Math.max(budget.passed, ticket);
  budget.counted++;
  return { granted: true, waitMs: untilMs, ticket };
}

function gapOf({ slowed }: Budget, perMinute: number): number {
  return MINUTE_MS / Math.min(slowed ?? Infinity, perMinute);
}
