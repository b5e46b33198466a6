/**
 * `bun run judge:agreement --data FILE`: how often the configured judge agrees with people.
 *
 * In: EVOUNA files (answers with human labels) or XQuAD ones (right and wrong answers are made from their passages), and
 * the same settings as the pipeline: the judge is the model at LLM_BASE_URL, else the offline one. Out: a table with
 * bootstrap 95 % intervals over questions, and one JSON line last. Never here: training (train.ts).
 */
import { parseArgs } from "node:util";
import { CauceError } from "cauce";
import { readSettings, type CommandOptions } from "cauce/run";
import { connectModel } from "../../handlers/shared/connect-model.ts";
import { offlineJudge } from "../../handlers/shared/judge/offline.ts";
import { settings } from "../../handlers/shared/settings.ts";
import { agreementOf, type Agreement } from "./agreement.ts";
import { judgeAll, type Judgements } from "./judging.ts";
import { rowOf, wayRowOf } from "./agreement-table.ts";
import type { LabelledAnswer } from "./labelled.ts";
import { readAnswers, type Answers } from "./read-answers.ts";
import { sampleOf, weightsFrom } from "./training.ts";

const USAGE = `usage: bun run judge:agreement --data FILE [--parallel FILE] [--limit N] [--rounds N] [--untuned]

FILE is an EVOUNA file, or an XQuAD one (--parallel: the same in another language).
--limit N   judges N answers, evenly chosen; for a judge that costs money
--rounds N  bootstrap samples (default 1000)
--untuned   no half of FILE was used for tuning: all of it is reported as unseen
`;

/** What must hold at the low end of the interval on answers that tuning never saw. */
const LEAST_AUC = 0.92;
const LEAST_KAPPA = 0.69;

export default async function judgeAgreement(options: CommandOptions): Promise<number> {
  const { write, fail } = options.console;
  let connected: Awaited<ReturnType<typeof connectModel>> | undefined;
  try {
    const wanted = readArguments(options.arguments);
    const answers = await readAnswers(wanted);
    connected = await connectModel(readSettings(settings, options.environment), {
      production: false,
      runs: { ingress: false, handlers: ["llm.generated"] },
    });
    const { judge } = connected;
    const offline = judge.name === offlineJudge().name;
    write(`judge: ${judge.name}\n${answers.rows.length} answers of ${wanted.data}\n\n`);
    const judged = await judgeAll(judge, answers.rows);
    const all = tell(judged, answers, wanted.rounds, write);
    if (offline && answers.labelled === "people" && !wanted.untuned) {
      await leaveOneOut(answers.rows, wanted.rounds, write);
    }
    write(`${JSON.stringify(lineOf(all, judge.name, judged.failed))}\n`);
    return passes(all) || !offline ? 0 : 1;
  } catch (thrown) {
    if (!(thrown instanceof CauceError) && !(thrown instanceof TypeError)) throw thrown;
    fail(`${thrown.message}\n\n${USAGE}`);
    return 2;
  } finally {
    await connected?.close();
  }
}

/** @returns the agreement on all answers that tuning has not seen. */
function tell(
  { verdicts, failed }: Judgements,
  { labelled }: Answers,
  rounds: number,
  write: (text: string) => void,
): Agreement {
  const unseen = verdicts.filter(({ row }) => row.half === "unseen");
  const tuning = verdicts.filter(({ row }) => row.half === "tuning");
  const systems = Map.groupBy(unseen, ({ row }) => row.system);
  for (const [system, list] of systems) {
    write(labelled === "people" ? rowOf(system, agreementOf(list, rounds)) : wayRowOf(system, list));
  }
  if (tuning.length > 0) write(rowOf("all, half used for tuning", agreementOf(tuning, rounds)));
  const all = agreementOf(unseen, rounds);
  write(rowOf("all, never seen by tuning", all));
  if (failed > 0) write(`${failed} answers could not be judged\n`);
  return all;
}

/** Weights from the other systems' answers to the tuning half, tried on this system's answers to the other half. */
async function leaveOneOut(
  rows: readonly LabelledAnswer[],
  rounds: number,
  write: (text: string) => void,
): Promise<void> {
  write("\nleave one system out: neither its answers nor these questions were seen\n");
  const tuning = rows
    .filter(({ half }) => half === "tuning")
    .map((row) => ({ ...sampleOf(row), system: row.system }));
  for (const [system, list] of Map.groupBy(
    rows.filter(({ half }) => half === "unseen"),
    (row) => row.system,
  )) {
    const weights = weightsFrom(tuning.filter((sample) => sample.system !== system));
    const { verdicts } = await judgeAll(offlineJudge(weights), list);
    write(rowOf(system, agreementOf(verdicts, rounds)));
  }
}

function passes({ auc, kappa }: Agreement): boolean {
  return auc[1] >= LEAST_AUC && kappa[1] >= LEAST_KAPPA;
}

function lineOf(all: Agreement, judge: string, failed: number) {
  const [value, low, high] = all.auc;
  const { answers, accuracy, kappa } = all;
  const limits = { must: LEAST_AUC, must_kappa: LEAST_KAPPA, pass: passes(all) };
  return {
    name: "judge-agreement",
    judge,
    value,
    low,
    high,
    unit: "AUC",
    reference: "labels",
    ...limits,
    answers,
    failed,
    accuracy,
    kappa,
  };
}

function readArguments(given: readonly string[]) {
  const { values } = parseArgs({
    args: given.filter((argument) => argument !== "--"),
    options: {
      data: { type: "string" },
      parallel: { type: "string" },
      limit: { type: "string" },
      rounds: { type: "string", default: "1000" },
      untuned: { type: "boolean", default: false },
    },
  });
  const { data, parallel, untuned } = values;
  if (data === undefined) throw new CauceError("config_invalid", "judge:agreement needs --data FILE");
  return {
    data,
    untuned,
    rounds: wholeFrom("rounds", values.rounds),
    ...(parallel === undefined ? {} : { parallel }),
    ...(values.limit === undefined ? {} : { limit: wholeFrom("limit", values.limit) }),
  };
}

function wholeFrom(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new CauceError("config_invalid", `--${name} ${text}: expected a whole number from 1`);
}
