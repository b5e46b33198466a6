/**
 * Decides what follows a failed model call.
 *
 * In: a question with the kind of failure and the counters. Out: `llm.requests` again, later, as a row of the schedule;
 * or the end: `llm.validated` with the best answer so far, marked, or `llm.failed`. Never here: sleeping.
 */
import { errors, failed, requests, validated } from "../schema/topics.ts";
import { handler } from "./shared/deps.ts";
import { decideRetry } from "./shared/flow/retry-policy.ts";
import { ageOf, endingOf, requestIn } from "./shared/flow/stages.ts";

export default handler({
  name: "llm.errors",
  on: errors,
  out: { requests, validated, failed },
  order: { by: "none" },
  concurrency: 64,
  handle({ value, bornAt }, { deps, out }) {
    const ageMs = ageOf(value, bornAt, deps.clock.nowMs());
    const decision = decideRetry({ ...value, ageMs }, deps.limits, deps.random);
    if (decision.kind === "again") {
      const { attempts, deferrals, delayMs } = decision;
      const again = { ...requestIn(value), attempts, deferrals };
      return out.requests(again, { after: `${delayMs}ms`, reason: value.error_type });
    }
    const ending = endingOf(value, decision.reason);
    return ending.to === "validated" ? out.validated(ending.value) : out.failed(ending.value);
  },
});
