/**
 * Follows every acknowledged question to its end.
 *
 * In: the open ids of the ledger. Out: their ends, noted in the ledger. Never here: more than a few calls at once; a
 * question is looked at less often the longer it takes.
 */
import { pause } from "cauce";
import { find } from "./door.ts";
import type { Run } from "./run.ts";

/** At most this many looks at once, and a rest after each round: 25 looks per 50 ms at most. */
const LOOKS_AT_ONCE = 25;
const REST_MS = 50;
const FIRST_LOOK_MS = 150;
const LONGEST_BETWEEN_LOOKS_MS = 3_000;

interface Next {
  readonly atTick: number;
  readonly everyMs: number;
}

/** Returns when all is sent and nothing is open, when nothing has moved for `stallMs`, or when stopped. */
export async function follow(run: Run, sending: Promise<void>): Promise<void> {
  const next = new Map<string, Next>();
  let sent = false;
  const noteSent = () => {
    sent = true;
  };
  sending.then(noteSent, noteSent);
  while (!run.signal.aborted) {
    if (sent && run.ledger.open === 0) return;
    if (sent && run.clock.monotonicMs() - run.movedTick > run.stallMs) return;
    await Promise.all(dueOf(run, next).map((id) => look(run, id, next)));
    await pause(run.clock, REST_MS, run.signal);
  }
}

/** The ids whose look is due, the longest due first. */
function dueOf({ ledger, clock }: Run, next: Map<string, Next>): readonly string[] {
  const nowTick = clock.monotonicMs();
  const due: { readonly id: string; readonly atTick: number }[] = [];
  for (const id of ledger.openIds) {
    const known = next.get(id);
    if (known === undefined) next.set(id, { atTick: nowTick + FIRST_LOOK_MS, everyMs: FIRST_LOOK_MS });
    else if (known.atTick <= nowTick) due.push({ id, atTick: known.atTick });
  }
  return due
    .toSorted((left, right) => left.atTick - right.atTick)
    .slice(0, LOOKS_AT_ONCE)
    .map(({ id }) => id);
}

async function look(run: Run, id: string, next: Map<string, Next>): Promise<void> {
  const { ledger, clock, door } = run;
  const found = await find(door, id);
  if (found.kind === "ended") {
    next.delete(id);
    run.movedTick = clock.monotonicMs();
    ledger.noteEnded(id, { ...found, seenMs: clock.nowMs() });
    return;
  }
  if (found.kind === "open" && found.waitingUntil !== undefined) ledger.noteWaiting(id, found.waitingUntil);
  const everyMs = Math.min(LONGEST_BETWEEN_LOOKS_MS, (next.get(id)?.everyMs ?? FIRST_LOOK_MS) * 1.6);
  next.set(id, { atTick: clock.monotonicMs() + everyMs, everyMs });
}
