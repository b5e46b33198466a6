/**
 * Answers that are known: rows in Postgres and entries in the cache, for questions numbered from 0.
 */
import { Redis } from "@upstash/redis";
import { openDatabase } from "../../handlers/shared/storage/database.ts";
import { createRepository } from "../../handlers/shared/storage/repository.ts";

type Question = { readonly title: string; readonly content: string; readonly best_answer: string };

export async function fillAnswers(work: {
  readonly url: string;
  readonly redisUrl: string;
  readonly token: string;
  readonly count: number;
  readonly questionAt: (n: number) => Question;
  readonly idOf: (question: Question) => string;
}): Promise<void> {
  const database = openDatabase({ url: work.url });
  const repository = createRepository(database);
  const redis = new Redis({ url: work.redisUrl, token: work.token, enableTelemetry: false });
  try {
    for (let n = 0; n < work.count; n++) {
      const question = work.questionAt(n);
      const id = work.idOf(question);
      const result = await repository.storeResult({
        id,
        ...question,
        attempts: 1,
        round: 1,
        deferrals: 0,
        answer: `The answer is ${n}. ${"It is the number of this question in this run. ".repeat(6)}`,
        model: "bench",
        judge: "bench",
        score: 8.5,
        rubric: { accuracy: 9, completeness: 8, clarity: 8, conciseness: 9, usefulness: 8 },
        below_threshold: false,
      });
      await redis.set(`q:${id}`, JSON.stringify(result));
    }
  } finally {
    await database.close();
  }
}
