/**
 * Ends a question that got no answer.
 *
 * In: a question with the reason. Out: its row says failed and why. Asking it again opens a new round.
 */
import { failed } from "../schema/topics.ts";
import { handler } from "./shared/deps.ts";

export default handler({
  name: "llm.failed",
  on: failed,
  order: { by: "none" },
  concurrency: 32,
  timeout: "30s",
  retry: [[Error, { attempts: 5, delay: "exponential", base: "1s", cap: "1m" }]],
  async handle({ value }, { deps }) {
    await deps.results.fail(value);
  },
});
