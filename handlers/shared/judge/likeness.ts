/**
 * How well an answer agrees with a reference, told from words alone: numbers that a small linear model weighs.
 *
 * In: question, reference, answer. Out: features of fixed order, each between 0 and 1 or a small logarithm.
 * Never here: the weights, a threshold, knowledge of the world.
 */
import { aliasesOf } from "./aliases.ts";
import { fold, isNumber, isStopWord, stem, tokens } from "../text/tokens.ts";
import { Said, trigramsOf } from "./said.ts";

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
  "number_replaced",
] as const;

export type Features = readonly number[];

/** One row of features for each way in which the reference can be read (its aliases): the best one counts. */
export function featuresOf(title: string, reference: string, answer: string): readonly Features[] {
  const said = new Said(title, answer);
  const unknown = saysUnknown(answer) ? 1 : 0;
  const readings = aliasesOf(reference).map((alias) => ({ alias, gold: goldOf(alias) }));
  let wordsLeft = MOST_REFERENCE_WORDS;
  return readings.flatMap(({ alias, gold }, index) => {
    wordsLeft -= gold.length;
    return index === 0 || wordsLeft >= 0 ? [compare(alias, gold, said, unknown)] : [];
  });
}

/** In words, all readings together: each is sought through the whole answer. */
const MOST_REFERENCE_WORDS = 1_000;
const LONGEST_READING = 200;

/** Does the answer say that it does not know? */
export function saysUnknown(answer: string): boolean {
  return UNKNOWN.test(fold(answer).replaceAll("’", "'"));
}

/** The words of a reading that carry content; all of them where none does ("The Who"). */
function goldOf(alias: string): readonly string[] {
  const all = tokens(alias).slice(0, LONGEST_READING);
  const content = all.filter((token) => !isStopWord(token));
  return content.length > 0 ? content : all;
}

function compare(alias: string, gold: readonly string[], said: Said, unknown: number): Features {
  const matches = gold.map((token) => said.nearest(token));
  const stems = gold.map(stem);
  const fresh = stems.map((root) => !said.askedStems.has(root));
  const recall = weightedMean(
    gold.map((token, index) => ({
      weight: weightOf(token, fresh[index]),
      value: matches[index]?.likeness ?? 0,
    })),
  );
  const newMatches = matches.filter((_, index) => fresh[index]);
  const newRecall = newMatches.length === 0 ? recall : mean(newMatches.map((match) => match.likeness));
  const numbers = gold.flatMap((token, index) => (isNumber(token) ? [matches[index]?.likeness ?? 0] : []));
  const exact = isRun(gold, stems, said) ? 1 : 0;
  const first = matches.find((match) => match.likeness > 0)?.at ?? said.words.length;
  const goldStems = new Set(stems);
  const foreign = said.foreignStems;
  const length = Math.log2(1 + said.words.length) / 8;
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
    exact === 1 && !deniesItself(alias) && denied(gold, said.words) ? 1 : 0,
    foreign.length === 0 ? exact : foreign.filter((root) => goldStems.has(root)).length / foreign.length,
    said.words.length === 0 ? 1 : first / said.words.length,
    length,
    exact * shortGold * length,
    numbers.length > 0 && mean(numbers) < 1 ? otherNumbers(gold, said) : 0,
    Math.log2(1 + gold.length) / 5,
    trigramRecall(alias, said),
    exact === 1 ? 0 : replacedNumber(gold, said.content),
  ];
}

/** 1 where the answer has numbers of its own instead of the reference's, 0 where it has none; few weigh more than many. */
function otherNumbers(gold: readonly string[], said: Said): number {
  const own = said.words.filter((token) => isNumber(token) && !said.askedWords.has(token));
  const others = own.filter((token) => !gold.includes(token));
  return own.length === 0 ? 0 : others.length / own.length;
}

/**
 * "July 4, 1776" for "July 2, 1776": 1 where the answer has the reference as a run in which only numbers differ, and not
 * all of it does; half of that where the answer has many more words, which may say the number elsewhere.
 */
function replacedNumber(gold: readonly string[], said: readonly string[]): number {
  if (!gold.some(isNumber)) return 0;
  const found = said.some((_, start) => {
    let same = 0;
    for (const [index, token] of gold.entries()) {
      const word = said[start + index] ?? "";
      if (word === token) same++;
      else if (!isNumber(token) || !isNumber(word)) return false;
    }
    return same > 0 && same < gold.length;
  });
  if (!found) return 0;
  return said.length <= gold.length + FEW_WORDS ? 1 : 0.5;
}

const FEW_WORDS = 8;

/** Words already in the question say little; numbers say much. */
function weightOf(token: string, fresh: boolean | undefined): number {
  return (fresh === true ? 1 : 0.3) * (isNumber(token) ? 1.5 : 1);
}

/** Does the reading stand in the answer as one run of content words? One that has none is sought among all words. */
function isRun(gold: readonly string[], stems: readonly string[], said: Said): boolean {
  if (gold.every(isStopWord)) return isRunOf(gold, said.words);
  return isRunOf(stems, said.contentStems);
}

function isRunOf(run: readonly string[], list: readonly string[]): boolean {
  return list.some((_, start) => run.every((token, index) => list[start + index] === token));
}

/** "No Child Left Behind": an answer with a denial in it is then no denial of the reference. */
function deniesItself(alias: string): boolean {
  return tokens(alias).some((word) => DENIALS.has(word));
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

function trigramRecall(alias: string, said: Said): number {
  const grams = trigramsOf(fold(alias));
  let met = 0;
  for (const gram of grams) if (said.trigrams.has(gram)) met++;
  return grams.size === 0 ? 0 : met / grams.size;
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

/** Limits and words from above, for whoever compares in another language. */
export const LIKENESS_TABLES = {
  mostReferenceWords: MOST_REFERENCE_WORDS,
  longestReading: LONGEST_READING,
  fewWords: FEW_WORDS,
  denials: [...DENIALS],
  unknown: UNKNOWN.source,
};
