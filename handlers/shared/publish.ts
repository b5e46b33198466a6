/**
 * Publishes the request of a claim. Called by the one who won it, and again by the keeper where that never finished.
 *
 * In: a claim. Out: one message with an id that depends on the claim (and an embedded broker's generation) alone, so that
 * repeats are one message to everybody who goes by ids; and the mark that it is published.
 */
import { CauceError } from "cauce";
import type { Client, World } from "cauce/run";
import { requests } from "../../schema/topics.ts";
import type { Claim } from "./storage/claims.ts";
import type { Repository } from "./storage/repository.ts";

export interface Publishing {
  readonly client: Client;
  readonly repository: Pick<Repository, "markPublished" | "releaseClaim" | "failOpenQuestion">;
  readonly broker: Pick<World<unknown>["broker"], "generation">;
  /** The trace of whoever asked. */
  readonly traceparent?: string;
}

/**
 * Resolves when the broker has acknowledged.
 * @throws CauceError of the client. A request that no broker will ever take ends its question as failed first; one that
 * certainly was not sent is free for the keeper's next round.
 */
export async function publishClaim(claim: Claim, publishing: Publishing): Promise<void> {
  const { client, repository, traceparent } = publishing;
  const { id, round, title, content, best_answer, claimed_at } = claim;
  const asked_at = claimed_at.toISOString();
  const value = { id, title, content, best_answer, attempts: 0, round, deferrals: 0, asked_at };
  try {
    await client.send(requests, value, {
      id: messageIdOf(claim, publishing.broker.generation),
      ...(traceparent === undefined ? {} : { traceparent }),
    });
  } catch (thrown) {
    await afterFailure(thrown, claim, publishing);
    throw thrown;
  }
  // Nobody waits for it: should it fail, the keeper publishes once more under the same id, at most a repeated piece of work.
  repository.markPublished({ id, round }).catch(() => {});
}

/**
 * What an embedded broker lost is a new message to the next one: under its old id the schedule would take every wait of its
 * second life for a repeat of the first one's, and drop it.
 */
function messageIdOf({ id, round }: Claim, generation: string | null): string {
  return generation === null ? `${id}.${round}` : `${id}.${round}.${generation.slice(0, 8)}`;
}

async function afterFailure(
  thrown: unknown,
  { id, round }: Claim,
  { repository }: Publishing,
): Promise<void> {
  if (!(thrown instanceof CauceError)) return;
  if (thrown.code === "unavailable") await repository.releaseClaim({ id, round }).catch(() => {});
  if (thrown.code === "invalid_value" || thrown.code === "record_too_large") {
    await repository.failOpenQuestion({ id, round, reason: thrown.message });
  }
}
