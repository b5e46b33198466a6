/**
 * What happens when somebody asks: look, else claim, else publish. HTTP knows nothing of it, and it nothing of HTTP.
 *
 * In: a question. Out: its result, or that it is queued (which survives any crash from then on).
 * @throws CauceError `unavailable` when it can be neither answered nor kept; TooBusy when the line is too long.
 */
import { CauceError, Unavailable } from "cauce";
import type { World } from "cauce/run";
import type { ResultCache } from "./cache.ts";
import { hasEnded } from "./door/await-end.ts";
import { busyWith } from "./door/admission.ts";
import { publishClaim, type Publishing } from "./publish.ts";
import { questionId } from "./questions/identity.ts";
import type { AskedQuestion } from "./storage/claims.ts";
import type { Repository } from "./storage/repository.ts";
import type { Result } from "./storage/results.ts";

export type Source = "db" | "cache";

export type Asked =
  | { readonly kind: "hit"; readonly result: Result; readonly from: Source }
  | { readonly kind: "queued"; readonly id: string; readonly round: number | null };

export interface Asking extends Publishing {
  readonly repository: Publishing["repository"] & Pick<Repository, "claim" | "findResult" | "findStatus">;
  readonly cache: ResultCache;
  /** Where to look, in this order. */
  readonly lookup: readonly Source[];
  readonly broker: Pick<World<unknown>["broker"], "generation" | "hasRoom" | "connected" | "expectedWaitMs">;
  /** With a longer line before it no new question comes in, in ms. */
  readonly mostWaitMs: number;
  readonly clock: { after(delayMs: number, call: () => void): () => void };
}

/** An asker waits no longer for the broker's acknowledgement, in ms. The claim stays and is published later. */
const PUBLISH_DEADLINE_MS = 5_000;

export async function ask(
  question: { readonly title: string; readonly content: string; readonly best_answer: string },
  asking: Asking,
): Promise<Asked> {
  const asked: AskedQuestion = { ...question, id: questionId(question) };
  const found = await lookUp(asked.id, asking);
  if (found) return { kind: "hit", ...found };
  if (!asking.broker.connected()) throw new Unavailable("the broker cannot be reached");
  if (!asking.broker.hasRoom()) throw new Unavailable("too many questions are on their way");
  const tooBusy = busyWith(asking.broker.expectedWaitMs(), asking.mostWaitMs);
  if (tooBusy) {
    // Who asks what waits already makes the line no longer.
    if (!(await isOpen(asked.id, asking))) throw tooBusy;
    return { kind: "queued", id: asked.id, round: null };
  }

  const claimed = await asking.repository.claim(asked, asking.broker.generation);
  if (claimed.won) {
    await withinDeadline(publishClaim(claimed.claim, asking), asking);
    return { kind: "queued", id: asked.id, round: claimed.claim.round };
  }
  if (claimed.state === "done") {
    const result = await asking.repository.findResult(asked.id);
    if (result) return { kind: "hit", result, from: "db" };
  }
  return { kind: "queued", id: asked.id, round: null };
}

/** A database that is away is no end while the cache can still answer; a miss then is one nobody can vouch for. */
async function lookUp(id: string, asking: Asking): Promise<{ result: Result; from: Source } | null> {
  let away: unknown;
  for (const from of asking.lookup) {
    try {
      const result = await (from === "db" ? asking.repository.findResult(id) : asking.cache.get(id));
      if (!result) continue;
      // What was found in the database although the cache is asked first: next time the cache has it.
      if (from === "db" && asking.lookup[0] === "cache") await asking.cache.put(result);
      return { result, from };
    } catch (thrown) {
      if (!(thrown instanceof CauceError && thrown.code === "unavailable")) throw thrown;
      away = thrown;
    }
  }
  if (away) throw away;
  return null;
}

async function isOpen(id: string, { repository }: Asking): Promise<boolean> {
  const status = await repository.findStatus(id);
  return status !== null && !hasEnded(status);
}

async function withinDeadline(publishing: Promise<void>, { clock }: Asking): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(PUBLISH_DEADLINE_MS, () =>
    reject(new Unavailable("the broker has not acknowledged the question yet; it is kept")),
  );
  try {
    await Promise.race([publishing, late]);
  } catch (thrown) {
    // After the deadline nobody listens to it any more.
    publishing.catch(() => {});
    if (thrown instanceof CauceError && SENDING_FAILED.has(thrown.code))
      throw new Unavailable(thrown.message);
    throw thrown;
  } finally {
    cancel();
  }
}

/** However sending failed, the claim is kept and published later: to the asker it is one and the same. */
const SENDING_FAILED = new Set(["unavailable", "broker", "possibly_persisted", "producer_fatal", "closed"]);
