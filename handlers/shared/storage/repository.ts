/**
 * Everything that the application asks of its database, bound to one pool.
 *
 * In: a database. Out: the operations of this folder, one file each. Every one of them rejects with a CauceError:
 * `unavailable` while the database is away, `database` when it refused.
 */
import type { Failed, Validated } from "../../../schema/topics.ts";
import { addApiKey, apiKeys, revokeApiKey, type ApiKey } from "./api-keys.ts";
import {
  claimQuestions,
  markPublished,
  releaseClaim,
  type Asked,
  type AskedQuestion,
  type Claim,
  type ClaimResult,
} from "./claims.ts";
import type { Database } from "./database.ts";
import { deadLettersAfter, type DeadLetters } from "./dead-letters.ts";
import { failForgotten, failOpenQuestion, failQuestion } from "./endings.ts";
import { createGathering } from "./gathering.ts";
import { findResults, storeResult, type Result } from "./results.ts";
import { countStates, findStatus, type QuestionStatus } from "./status.ts";
import { endedAmong, newestStep, stepsAfter, type LaterSteps } from "./step-history.ts";
import { forgetSteps, writeSteps, type QuestionStep } from "./steps.ts";
import { reopenOtherGenerations, takeUnpublished } from "./unpublished.ts";

export interface Repository {
  claim(asked: AskedQuestion, brokerGeneration: string | null): Promise<ClaimResult>;
  /** Those that come while others are written go together. */
  markPublished(claim: Pick<Claim, "id" | "round">): Promise<void>;
  /** Resolves when every mark is written or given up. */
  settled(): Promise<void>;
  releaseClaim(claim: Pick<Claim, "id" | "round">): Promise<void>;
  takeUnpublished(options: { readonly olderThanMs: number; readonly limit: number }): Promise<Claim[]>;
  reopenOtherGenerations(generation: string): Promise<number>;
  storeResult(value: Validated): Promise<Result | null>;
  findResult(id: string): Promise<Result | null>;
  findStatus(id: string): Promise<QuestionStatus | null>;
  failQuestion(value: Failed): Promise<void>;
  failOpenQuestion(ended: Pick<Failed, "id" | "round" | "reason">): Promise<boolean>;
  failForgotten(options: { readonly olderThanMs: number; readonly limit: number }): Promise<number>;
  deadLettersAfter(row: bigint, limit: number): Promise<DeadLetters>;
  writeSteps(steps: readonly QuestionStep[]): Promise<void>;
  newestStep(): Promise<bigint>;
  stepsAfter(options: {
    readonly ids: readonly string[];
    readonly after: bigint;
    readonly limit: number;
  }): Promise<LaterSteps>;
  endedAmong(ids: readonly string[]): Promise<readonly string[]>;
  forgetSteps(options: { readonly olderThanMs: number; readonly limit: number }): Promise<number>;
  apiKeys(): Promise<readonly ApiKey[]>;
  addApiKey(key: Pick<ApiKey, "id" | "name" | "hash" | "perMinute">): Promise<void>;
  revokeApiKey(id: string): Promise<boolean>;
  countStates(): Promise<readonly { state: string; count: number }[]>;
}

/** A mark may be late: one that a crash takes with it is published once more, under the same id. */
const MARK_LINGER_MS = 20;

/** `runtimeSchema` is where the runtime's own tables are. */
export function createRepository(database: Database, runtimeSchema = "cauce"): Repository {
  const marking = createGathering({
    perform: (claims: readonly Pick<Claim, "id" | "round">[]) => markPublished(database, claims),
    lingerMs: MARK_LINGER_MS,
  });
  const finding = createGathering({ perform: (ids: readonly string[]) => findResults(database, ids) });
  const claiming = createGathering({
    perform: (claims: readonly Asked[]) => claimQuestions(database, claims),
  });
  return {
    claim: (asked, brokerGeneration) => claiming.ask({ ...asked, brokerGeneration }),
    markPublished: (claim) => marking.ask(claim),
    settled: () => marking.settled(),
    releaseClaim: (claim) => releaseClaim(database, claim),
    takeUnpublished: (options) => takeUnpublished(database, options),
    reopenOtherGenerations: (generation) => reopenOtherGenerations(database, generation),
    storeResult: (value) => storeResult(database, value),
    findResult: (id) => finding.ask(id),
    findStatus: (id) => findStatus(database, id),
    failQuestion: (value) => failQuestion(database, value),
    failOpenQuestion: (ended) => failOpenQuestion(database, ended),
    failForgotten: (options) => failForgotten(database, options),
    deadLettersAfter: (row, limit) => deadLettersAfter(database, { row, limit, runtimeSchema }),
    writeSteps: (steps) => writeSteps(database, steps),
    newestStep: () => newestStep(database),
    stepsAfter: (options) => stepsAfter(database, options),
    endedAmong: (ids) => endedAmong(database, ids),
    forgetSteps: (options) => forgetSteps(database, options),
    apiKeys: () => apiKeys(database),
    addApiKey: (key) => addApiKey(database, key),
    revokeApiKey: (id) => revokeApiKey(database, id),
    countStates: () => countStates(database),
  };
}
