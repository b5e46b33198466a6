/**
 * Questions to a database or a cache that come at the same time, asked together: one statement for many askers.
 *
 * In: items. Out: for each its own answer. As long as few are on their way each goes at once; those that come while enough are
 * on their way wait for the next one to end and go in one. Never here: what is asked, trying again for longer than once.
 */
import { CauceError } from "cauce";

export interface GatheringOptions<Item, Answer> {
  /** Asks for all of them. Answers in the order of the items. */
  readonly perform: (items: readonly Item[]) => Promise<readonly Answer[]>;
  /** Statements at once. Default 2: with more of them they are smaller, and their number is what costs. */
  readonly atOnce?: number;
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

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly answer: PromiseWithResolvers<Answer>;
}

export function createGathering<Item, Answer>(
  options: GatheringOptions<Item, Answer>,
): Gathering<Item, Answer> {
  const { perform, atOnce = 2, lingerMs } = options;
  let waiting: Waiting<Item, Answer>[] = [];
  const running = new Set<Promise<void>>();

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
  const go = async (): Promise<void> => {
    // Whoever asks in the same moment comes along.
    await Promise.resolve();
    while (waiting.length > 0) {
      if (lingerMs !== undefined) await new Promise((resolve) => setTimeout(resolve, lingerMs));
      const batch = waiting.slice(0, LARGEST_BATCH);
      waiting = waiting.slice(LARGEST_BATCH);
      await performAll(batch);
    }
  };

  return {
    ask(item) {
      const answer = Promise.withResolvers<Answer>();
      waiting.push({ item, answer });
      if (running.size < atOnce) {
        const mine = go().finally(() => running.delete(mine));
        running.add(mine);
      }
      return answer.promise;
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
