/**
 * Delivers a result.
 *
 * In: a scored answer. Out: one row in `response_event`, the question done, the cache filled. A repeat changes nothing.
 */
import { validated } from "../schema/topics.ts";
import { handler } from "./shared/deps.ts";

export default handler({
  name: "llm.validated",
  on: validated,
  order: { by: "none" },
  concurrency: 32,
  timeout: "30s",
  retry: [[Error, { attempts: 5, delay: "exponential", base: "1s", cap: "1m" }]],
  async handle({ value }, { deps }) {
    await deps.results.store(value);
  },
});
