/**
 * Questions to a database or a cache that come at the same time, asked together: one statement for many askers.
 *
 * In: items. Out: for each its own answer. The first goes at once; those that come while it is on its way wait for its end and go in
 * one. One that takes unusually long (it waits for a lock) holds up nobody but its own. Never here: what is asked, trying again for
 * longer than once.
 */
import { CauceError } from "cauce";

export interface GatheringOptions<Item, Answer> {
  /** Asks for all of them. Answers in the order of the items. */
  readonly perform: (items: readonly Item[]) => Promise<readonly Answer[]>;
  /** Statements at once. Default 1: with more of them they are smaller, and their number is what costs. */
  readonly atOnce?: number;
  /** After so long a statement is not waited for by others any more, in ms. Default 25. */
  readonly patienceMs?: number;
  /** Before each statement others are waited for, in ms. For what nobody waits for. Default: only those of the same moment come along. */
  readonly lingerMs?: number;
}

export interface Gathering<Item, Answer> {
  /** @throws what asking threw; what is wrong with one item is no other one's failure. */
  ask(item: Item): Promise<Answer>;
  /** Resolves when nothing is on its way any more. Never rejects. */
  settled(): Promise<void>;
}

const LARGEST_BATCH = 200;
/** Statements at once, the slow ones among them: what a pool has connections for. */
const MOST_AT_ONCE = 8;

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly answer: PromiseWithResolvers<Answer>;
}

export function createGathering<Item, Answer>(
  options: GatheringOptions<Item, Answer>,
): Gathering<Item, Answer> {
  const { perform, atOnce = 1, patienceMs = 25, lingerMs } = options;
  let waiting: Waiting<Item, Answer>[] = [];
  const running = new Set<Promise<void>>();
  let slow = 0;

  const performAll = async (batch: readonly Waiting<Item, Answer>[]): Promise<void> => {
    try {
      const answers = await perform(batch.map(({ item }) => item));
      for (const [at, { answer }] of batch.entries()) answer.resolve(answers[at] as Answer);
    } catch (thrown) {
      const away = thrown instanceof CauceError && thrown.code === "unavailable";
      if (batch.length === 1 || away) for (const { answer } of batch) answer.reject(thrown);
      // One of them is refused: alone, the others are not.
      else for (const one of batch) await performAll([one]);
    }
  };
  const performNext = async (): Promise<void> => {
    // Whoever asks in the same moment comes along.
    await Promise.resolve();
    if (lingerMs !== undefined) await new Promise((resolve) => setTimeout(resolve, lingerMs));
    const batch = waiting.slice(0, LARGEST_BATCH);
    waiting = waiting.slice(LARGEST_BATCH);
    if (batch.length === 0) return;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      slow++;
      start();
    }, patienceMs);
    await performAll(batch);
    clearTimeout(timer);
    if (late) slow--;
  };
  const start = (): void => {
    if (waiting.length === 0 || running.size - slow >= atOnce || running.size >= MOST_AT_ONCE) return;
    const mine = performNext().finally(() => {
      running.delete(mine);
      start();
    });
    running.add(mine);
  };

  return {
    ask(item) {
      const answer = Promise.withResolvers<Answer>();
      waiting.push({ item, answer });
      start();
      return answer.promise;
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
