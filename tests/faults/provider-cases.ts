/**
 * What a provider of models may do (case 26), to the whole pipeline in a process of its own on the embedded defaults.
 *
 * In: nothing. Out: one case: every fault has its kind, waits where it should, costs no attempt that it should not, and is
 * paid once. Never here: the faults themselves (provider-stub.ts).
 */
import { queue, reaches } from "../system/asking.ts";
import { clearStage, embeddedDatabase, newStateDir, sql, startCauce } from "../system/stage.ts";
import { verdictOf, type FaultCase } from "./case.ts";
import {
  FAULTS,
  RETRY_AFTER_S,
  startProviderStub,
  titleOf,
  type Fault,
  type ProviderStub,
} from "./provider-stub.ts";
import type { RunVerdict } from "./run.ts";

const TIMEOUT_MS = 400;
const MOST_REPLY_BYTES = 1024 * 1024;
/** What the sockets between hold beyond what was read, and what a busy machine reads before it hears of the end: 10 MB were seen. */
const IN_SOCKETS_BYTES = 24 * 1024 * 1024;

/** Each fault's kind, and the attempts that an answer takes with it. */
const EXPECTED: Readonly<Record<Exclude<Fault, "unjudged">, readonly [kind: string, attempts: number]>> = {
  limited: ["rate_limit", 1],
  "limited-by-date": ["rate_limit", 1],
  failing: ["unavailable", 2],
  hanging: ["timeout", 2],
  half: ["unavailable", 2],
  garbage: ["bad_output", 2],
  huge: ["bad_output", 2],
  shapeless: ["bad_output", 2],
  dripping: ["timeout", 2],
};
/** The judge is asked five times, each with one repair. */
const JUDGE_CALLS = 10;

export const providerCases: readonly FaultCase[] = [
  {
    number: 26,
    title:
      "a provider that limits, fails, hangs, breaks off, talks nonsense, floods, drips, and whose verdicts do not fit",
    expected: "each is its own kind; Retry-After waits in the schedule; deadline and byte cap; paid once",
    quick: true,
    run,
  },
];

async function run(): Promise<RunVerdict> {
  const stub = startProviderStub();
  try {
    const stateDir = newStateDir();
    const settings = {
      LLM_BASE_URL: stub.baseUrl,
      LLM_MODEL: "stub",
      MODEL_TIMEOUT_MS: String(TIMEOUT_MS),
      LLM_PRICE_PROMPT: "1",
      LLM_PRICE_COMPLETION: "2",
    };
    const door = await startCauce({ stateDir, settings }).door();
    const ids = await Promise.all(
      FAULTS.map(async (fault) => {
        const id = await queue(door, { title: titleOf(fault), content: "", best_answer: "Forty boats" });
        return [fault, id] as const;
      }),
    );
    for (const [fault, id] of ids) if (fault !== "unjudged") await reaches(door, id, "done");
    for (const [fault, id] of ids) {
      // Five tries, with about fifty seconds between them.
      if (fault === "unjudged") await reaches(door, id, "failed").catch(() => reaches(door, id, "failed"));
    }
    const database = embeddedDatabase(stateDir);
    const [budget] = await sql(database, "select refusals from cauce.budgets where name = 'model stub'");
    const complaints = [
      ...(Number(budget?.["refusals"]) >= 1 ? [] : ["two refusals did not lower the pace"]),
      ...(await Promise.all(ids.map(([fault, id]) => complaintsAbout(fault, id, { database, stub })))).flat(),
      ...(stub.hugeBytes <= MOST_REPLY_BYTES + IN_SOCKETS_BYTES
        ? []
        : [`${stub.hugeBytes} bytes of a reply were read`]),
    ];
    return verdictOf({ successes: ids.length, complaints });
  } finally {
    await clearStage();
    await stub.stop();
  }
}

async function complaintsAbout(
  fault: Fault,
  id: string,
  { database, stub }: { readonly database: string; readonly stub: ProviderStub },
): Promise<string[]> {
  const complaints: string[] = [];
  const differs = (what: string, came: unknown, wanted: unknown) => {
    if (JSON.stringify(came) !== JSON.stringify(wanted))
      complaints.push(`${fault}: ${what} ${JSON.stringify(came)}, not ${JSON.stringify(wanted)}`);
  };
  const answers = stub.calls.get(`${fault} answer`) ?? [];
  const judgements = stub.calls.get(`${fault} judge`)?.length ?? 0;
  const [made] = await sql(
    database,
    `select coalesce(sum(calls) filter (where purpose = 'answer'), 0)::int as answers, sum(price) as price
       from model_call where question_hash = '${id}'`,
  );
  if (fault === "unjudged") {
    const letters = await sql(
      database,
      `select handler, cause from cauce.dead_letter where value_json ->> 'id' = '${id}'`,
    );
    differs("dead letters", letters, [{ handler: "llm.generated", cause: "BadOutput" }]);
    differs("calls of the judge", judgements, JUDGE_CALLS);
    differs("calls for an answer", answers.length, 1);
    return complaints;
  }
  const [kind, attempts] = EXPECTED[fault];
  const [result] = await sql(
    database,
    `select attempts, below_threshold from response_event where question_hash = '${id}'`,
  );
  differs("result", result, { attempts, below_threshold: false });
  const errors = await sql(
    database,
    `select detail ->> 'error_type' as kind from question_step where question_hash = '${id}' and step = 'error'`,
  );
  differs("errors", errors, [{ kind }]);
  differs("calls", answers.length, 2);
  differs("calls of the judge", judgements, 1);
  // A refused call was never taken: it is no call that could be paid.
  differs("calls written down", made?.["answers"], kind === "rate_limit" ? 1 : 2);
  const waitedMs = (answers[1] ?? 0) - (answers[0] ?? 0);
  if (kind === "rate_limit" && waitedMs < RETRY_AFTER_S * 1_000)
    complaints.push(`${fault}: came back after ${waitedMs} ms`);
  return complaints;
}
