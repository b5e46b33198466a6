/**
 * The keeper: sees to it that every claim is published and that no question stays open for ever.
 *
 * In: claims nobody finished, an embedded broker that lost its memory, messages that died. Out: the same requests again
 * under the same ids, questions ended as failed. Every process has one; rows locked by one are skipped by the others.
 */
import type { Log } from "cauce";
import type { World } from "cauce/run";
import { publishClaim, type Publishing } from "./publish.ts";
import type { DeadQuestion } from "./storage/dead-letters.ts";
import type { Repository } from "./storage/repository.ts";

export interface KeeperOptions extends Publishing {
  readonly repository: Repository;
  readonly broker: Pick<World<unknown>["broker"], "generation" | "hasRoom" | "connected">;
  readonly clock: { after(delayMs: number, call: () => void): () => void };
  readonly log: Log;
  readonly everyMs: number;
  readonly graceMs: number;
  /** Questions older than twice this are over: their messages are long past their greatest age. */
  readonly greatestAgeMs: number;
  /** A question ended here, since its message had died. */
  readonly ended?: (question: DeadQuestion) => void;
}

export interface Keeper {
  /** One round of everything. Never rejects. */
  tick(): Promise<void>;
  close(): Promise<void>;
}

const CLAIMS_AT_ONCE = 200;
const LETTERS_AT_ONCE = 200;
const ROWS_AT_ONCE = 1_000;
/** Old rows are looked for once in so many rounds. */
const CLEAN_EVERY = 30;
const KEEP_STEPS_MS = 7 * 86_400_000;

export function createKeeper(options: KeeperOptions): Keeper {
  const { repository, broker, clock, log, everyMs, graceMs, greatestAgeMs } = options;
  const closing = new AbortController();
  let cancel: (() => void) | null = null;
  let running: Promise<void> | null = null;
  let rounds = 0;
  let lastLetter = 0n;
  let generation: string | null = null;

  const reopen = async () => {
    if (broker.generation === null || broker.generation === generation) return;
    const current = broker.generation;
    const reopened = await repository.reopenOtherGenerations(current);
    generation = current;
    if (reopened > 0) log.info("questions of an older broker are asked again", { questions: reopened });
  };

  const republish = async () => {
    while (!closing.signal.aborted && broker.connected() && broker.hasRoom()) {
      const claims = await repository.takeUnpublished({ olderThanMs: graceMs, limit: CLAIMS_AT_ONCE });
      const results = await Promise.allSettled(claims.map((claim) => publishClaim(claim, options)));
      const failed = results.filter(({ status }) => status === "rejected").length;
      if (claims.length > 0) log.info("claims were published again", { claims: claims.length, failed });
      if (claims.length < CLAIMS_AT_ONCE || failed > 0) return;
    }
  };

  const endDead = async () => {
    for (let more = true; more && !closing.signal.aborted;) {
      const { letters, lastRow, full } = await repository.deadLettersAfter(lastLetter, LETTERS_AT_ONCE);
      for (const letter of letters) {
        if (await repository.failOpenQuestion(letter)) {
          options.ended?.(letter);
          log.warn("a question ends: its message died", { question: letter.id, why: letter.reason });
        }
      }
      lastLetter = lastRow;
      more = full;
    }
  };

  const clean = async () => {
    if (rounds++ % CLEAN_EVERY !== 0) return;
    await repository.failForgotten({ olderThanMs: 2 * greatestAgeMs, limit: ROWS_AT_ONCE });
    await repository.forgetSteps({ olderThanMs: KEEP_STEPS_MS, limit: ROWS_AT_ONCE });
  };

  const round = async () => {
    for (const duty of [reopen, republish, endDead, clean]) {
      try {
        await duty();
      } catch (thrown) {
        log.debug("the keeper tries again later", {
          why: thrown instanceof Error ? thrown.message : String(thrown),
        });
      }
    }
  };

  const tick = () => {
    running ??= round().finally(() => {
      running = null;
    });
    return running;
  };

  const arm = () => {
    if (closing.signal.aborted) return;
    cancel = clock.after(everyMs, () => void tick().then(arm));
  };
  arm();

  return {
    tick,
    async close() {
      closing.abort();
      cancel?.();
      await running;
    },
  };
}
