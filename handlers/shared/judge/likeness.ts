/**
 * How well an answer agrees with a reference, told from words alone: numbers that a small linear model weighs.
 *
 * In: question, reference, answer. Out: features of fixed order, each between 0 and 1 or a small logarithm.
 * Never here: the weights, a threshold, knowledge of the world.
 */
import { fold, isNumber, isStopWord, likeness, stem, tokens } from "../text/tokens.ts";

export const FEATURES = [
  "bias",
  "contained",
  "recall",
  "new_recall",
  "last_word",
  "number_missed",
  "numbers_met",
  "unknown",
  "denied",
  "precision",
  "late",
  "long_answer",
  "weak_match",
  "other_number",
  "long_reference",
  "trigrams",
] as const;

export type Features = readonly number[];

/** One row of features for each way in which the reference can be read (its aliases): the best one counts. */
export function featuresOf(title: string, reference: string, answer: string): readonly Features[] {
  const asked = new Set(tokens(title).map(stem));
  const said = tokens(answer.slice(0, LONGEST_ANSWER)).slice(0, MOST_ANSWER_WORDS);
  const unknown = saysUnknown(answer) ? 1 : 0;
  return aliasesOf(reference).map((alias) =>
    compare(alias, {
      asked,
      said,
      unknown,
      stems: said.map(stem),
      answer: fold(answer.slice(0, LONGEST_ANSWER)),
    }),
  );
}

/** Every word of the reference is compared with every word of the answer: these bound one judgement to milliseconds. */
const LONGEST_ANSWER = 20_000;
const MOST_ANSWER_WORDS = 2_000;
const MOST_REFERENCE_WORDS = 200;

/**
 * "a/b", "a; b" or "a | b" name the same thing in several ways; each is tried, and the whole too. A slash between digits
 * or short units ("24/7", "km/h") is not such a sign.
 */
export function aliasesOf(reference: string): readonly string[] {
  const parts = reference
    .split(/\s*[;|\n]\s*|\s*\/\s*/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const real =
    parts.length > 1 && parts.length <= LONGEST_ALIAS_LIST && parts.every((part) => fold(part).length > 2);
  return real ? parts : [reference];
}

const LONGEST_ALIAS_LIST = 24;

/** Does the answer say that it does not know? */
export function saysUnknown(answer: string): boolean {
  return UNKNOWN.test(fold(answer).replaceAll("’", "'"));
}

interface Said {
  readonly asked: ReadonlySet<string>;
  readonly said: readonly string[];
  /** The stem of each word of `said`. */
  readonly stems: readonly string[];
  readonly unknown: number;
  readonly answer: string;
}

function compare(alias: string, { asked, said, stems, unknown, answer }: Said): Features {
  const all = tokens(alias.slice(0, LONGEST_ANSWER)).slice(0, MOST_REFERENCE_WORDS);
  const gold = all.some((token) => !isStopWord(token)) ? all.filter((token) => !isStopWord(token)) : all;
  const saidContent = said.filter((token) => !isStopWord(token));
  const matches = gold.map((token) => bestMatch(token, said, stems));
  const fresh = gold.map((token) => !asked.has(stem(token)));
  const recall = weightedMean(
    gold.map((token, index) => ({
      weight: weightOf(token, fresh[index]),
      value: matches[index]?.likeness ?? 0,
    })),
  );
  const newMatches = matches.filter((_, index) => fresh[index]);
  const newRecall = newMatches.length === 0 ? recall : mean(newMatches.map((match) => match.likeness));
  const numbers = gold.flatMap((token, index) => (isNumber(token) ? [matches[index]?.likeness ?? 0] : []));
  const at = findRun(gold, saidContent);
  const exact = at >= 0 ? 1 : 0;
  const first = matches.find((match) => match.likeness >= 0.75)?.at ?? said.length;
  const goldStems = new Set(gold.map(stem));
  const foreign = saidContent.filter((token) => !asked.has(stem(token)));
  const length = Math.log2(1 + said.length) / 8;
  const shortGold = gold.length <= 1 && (gold[0]?.length ?? 0) <= 3 ? 1 : 0;
  return [
    1,
    exact,
    recall,
    newRecall,
    matches.at(-1)?.likeness ?? 0,
    numbers.length === 0 ? 0 : 1 - mean(numbers),
    numbers.length === 0 ? 0 : mean(numbers),
    unknown,
    exact === 1 && denied(gold, said) ? 1 : 0,
    foreign.length === 0
      ? exact
      : foreign.filter((token) => goldStems.has(stem(token))).length / foreign.length,
    said.length === 0 ? 1 : first / said.length,
    length,
    exact * shortGold * length,
    numbers.length > 0 && mean(numbers) < 1 && said.some((token) => isNumber(token) && !asked.has(token))
      ? 1
      : 0,
    Math.log2(1 + gold.length) / 5,
    trigramRecall(fold(alias.slice(0, LONGEST_ANSWER)), answer),
  ];
}

/** The nearest word of the answer: equal, of one stem, or alike by at least three quarters. */
function bestMatch(
  token: string,
  said: readonly string[],
  stems: readonly string[],
): { readonly likeness: number; readonly at: number } {
  let best = 0;
  let at = said.length;
  const root = stem(token);
  for (const [index, word] of said.entries()) {
    const alike = word === token ? 1 : stems[index] === root ? 0.95 : likeness(token, word);
    if (alike > best && (alike >= 0.75 || alike === 1)) [best, at] = [alike, index];
    if (best === 1) break;
  }
  return { likeness: best, at };
}

/** Words already in the question say little; numbers say much. */
function weightOf(token: string, fresh: boolean | undefined): number {
  return (fresh === true ? 1 : 0.3) * (isNumber(token) ? 1.5 : 1);
}

/** Where the reference stands in the answer as one run of content words, else -1. */
function findRun(gold: readonly string[], said: readonly string[]): number {
  for (let start = 0; start + gold.length <= said.length; start++) {
    if (
      gold.every(
        (token, index) => said[start + index] === token || stem(said[start + index] ?? "") === stem(token),
      )
    ) {
      return start;
    }
  }
  return -1;
}

/** "not Paris", "no fue en París": a denial within the three words before every mention. */
function denied(gold: readonly string[], said: readonly string[]): boolean {
  const head = gold[0];
  const places = said.flatMap((word, index) => (word === head ? [index] : []));
  return (
    places.length > 0 &&
    places.every((place) => said.slice(Math.max(0, place - 3), place).some((word) => DENIALS.has(word)))
  );
}

function trigramRecall(gold: string, answer: string): number {
  const grams = trigrams(gold);
  if (grams.size === 0) return 0;
  const have = trigrams(answer);
  let met = 0;
  for (const gram of grams) if (have.has(gram)) met++;
  return met / grams.size;
}

function trigrams(text: string): Set<string> {
  const plain = ` ${text.replace(/[^\p{L}\p{N}]+/gu, " ").trim()} `;
  const grams = new Set<string>();
  for (let index = 0; index + 3 <= plain.length; index++) grams.add(plain.slice(index, index + 3));
  return grams;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function weightedMean(items: readonly { readonly weight: number; readonly value: number }[]): number {
  const weight = items.reduce((sum, item) => sum + item.weight, 0);
  return weight === 0 ? 0 : items.reduce((sum, item) => sum + item.weight * item.value, 0) / weight;
}

const DENIALS = new Set("not never no isn wasn aren weren nunca ni tampoco".split(" "));

const UNKNOWN = new RegExp(
  [
    "i (?:do not|don't|did not|didn't|cannot|can't|could not|couldn't) (?:know|have|find|provide|answer|determine)",
    "i'?m (?:not sure|sorry|unable|not aware)|i am (?:not sure|sorry|unable|not aware)|as an ai",
    "(?:no|not enough|insufficient) information|is (?:not known|unknown|unclear)|there is no (?:specific|clear|record)",
    "could you (?:please )?(?:clarify|provide|specify)|please (?:provide|clarify|specify)",
    "no (?:lo )?se\\b|no (?:lo )?sabemos|no (?:tengo|dispongo de|encuentro|puedo)|lo siento|se desconoce|no se sabe",
  ].join("|"),
);
