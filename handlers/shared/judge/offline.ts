/**
 * The judge for when no model is configured: reference-based and lexical. It says so in every judgement.
 *
 * In: question, reference, answer. Out: accuracy as the calibrated chance that a person would call the answer right,
 * the other criteria by simple heuristics. Never here: knowledge; it cannot see that a well-worded answer is false.
 */
import { fold, isStopWord, stem, tokens } from "../text/tokens.ts";
import { languageOf } from "../text/language.ts";
import { sentencesOf } from "../text/sentences.ts";
import type { Judge, Judged, Judgement } from "./judge.ts";
import { aliasesOf } from "./aliases.ts";
import { FEATURES, featuresOf, saysUnknown, type Features } from "./likeness.ts";
import { RUBRIC_VERSION, gatePassed, rubricHash, totalOf } from "./rubric.ts";
import { WEIGHTS, type Weights } from "./weights.ts";

/** Stored with each score: what it is, how it judges, and by which rubric. */
export const OFFLINE_JUDGE = `offline-lexical-2 (reference-based accuracy, the rest heuristics; rubric ${RUBRIC_VERSION})`;

/** Other weights than those that were measured are for measuring alone. */
export function offlineJudge(weights: Weights = WEIGHTS): Judge {
  const hash = rubricHash();
  return {
    name: OFFLINE_JUDGE,
    async score(judged, signal) {
      signal.throwIfAborted();
      return { ...judgeOffline(judged, weights), rubric_hash: await hash };
    },
  };
}

export function judgeOffline(
  { title, best_answer, answer }: Judged,
  weights: Weights = WEIGHTS,
): Omit<Judgement, "rubric_hash"> {
  const right = chanceRight({ title, best_answer, answer }, weights);
  const unknown = saysUnknown(answer) && right < 0.5;
  const covered = coverage(best_answer, answer);
  const rubric = {
    accuracy: tenths(right),
    completeness: unknown ? 0 : tenths(right >= 0.5 ? Math.max(covered, right) : covered * right * 2),
    clarity: tenths(clarity(answer)),
    conciseness: tenths(conciseness(best_answer, answer)),
    usefulness: unknown ? 0 : tenths(right),
  };
  return {
    score: totalOf(rubric),
    rubric,
    gate_passed: gatePassed(rubric),
    feedback: feedbackOn(rubric, unknown, languageOf(title)),
    judge: OFFLINE_JUDGE,
  };
}

/**
 * The chance, 0 to 1, that a person with the reference at hand calls the answer right. Without a reference it is 0.5:
 * nothing can be said; an answer that says it does not know has 0 then.
 */
export function chanceRight(
  { title, best_answer, answer }: Omit<Judged, "content">,
  weights: Weights = WEIGHTS,
): number {
  if (answer.trim() === "") return 0;
  if (tokens(best_answer).length === 0) return saysUnknown(answer) ? 0 : 0.5;
  const wanted = aliasesOf(best_answer)
    .map(polarityOf)
    .find((polarity) => polarity !== undefined);
  if (wanted !== undefined) return polarityIn(answer) === wanted ? 0.95 : 0.05;
  return Math.max(...featuresOf(title, best_answer, answer).map((features) => chanceOf(features, weights)));
}

function chanceOf(features: Features, weights: Weights): number {
  const evidence = FEATURES.reduce((sum, name, index) => sum + (features[index] ?? 0) * weights[name], 0);
  const chance = 1 / (1 + Math.exp(-evidence));
  // Denials are too rare among labelled answers for a weight to be learnt; a denied reference is simply wrong.
  if (features[FEATURES.indexOf("denied")] === 1) return Math.min(chance, 0.1);
  return features[FEATURES.indexOf("number_replaced")] === 1 ? Math.min(chance, 0.3) : chance;
}

/** A reference that is nothing but yes or no. */
function polarityOf(reference: string): "yes" | "no" | undefined {
  const plain = fold(reference).replace(/[^a-z]/g, "");
  if (plain === "yes" || plain === "si" || plain === "true" || plain === "verdadero") return "yes";
  return plain === "no" || plain === "false" || plain === "falso" ? "no" : undefined;
}

function polarityIn(answer: string): "yes" | "no" | undefined {
  if (saysUnknown(answer)) return undefined;
  const first = fold(answer).match(/[a-z]+/)?.[0] ?? "";
  if (first === "yes" || first === "si" || first === "true") return "yes";
  if (first === "no" || first === "false" || first === "falso") return "no";
  return /\b(?:not|never|no|nunca)\b|n't\b/.test(fold(answer)) ? "no" : "yes";
}

/** Share of the reference's content words that the answer holds; the best of its aliases. */
function coverage(reference: string, answer: string): number {
  const have = new Set(tokens(answer).map(stem));
  const shares = aliasesOf(reference).map((alias) => {
    const all = tokens(alias);
    const words = all.some((word) => !isStopWord(word)) ? all.filter((word) => !isStopWord(word)) : all;
    return words.length === 0 ? 0 : words.filter((word) => have.has(stem(word))).length / words.length;
  });
  return Math.max(0, ...shares);
}

/** Heuristic: letters and words rather than noise, and sentences of at most 35 words. */
function clarity(answer: string): number {
  const words = answer.match(/\S+/g) ?? [];
  if (words.length === 0) return 0;
  const readable = words.filter((word) =>
    /^[\p{P}\p{S}]*[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{P}\p{S}]{0,30}$/u.test(word),
  );
  const longest = Math.max(...sentencesOf(answer).map((sentence) => sentence.split(" ").length));
  return (readable.length / words.length) * (longest <= 35 ? 1 : Math.max(0.4, 35 / longest));
}

/** Heuristic: full marks up to three times the reference and 25 words more, then the share of that. */
function conciseness(reference: string, answer: string): number {
  const words = tokens(answer).length;
  if (words === 0) return 0;
  const fair = 25 + 3 * Math.max(...aliasesOf(reference).map((alias) => tokens(alias).length));
  return Math.min(1, fair / words);
}

/** Says what is missing without giving the reference away: the model that reads it must not learn the answer here. */
function feedbackOn(rubric: Judgement["rubric"], unknown: boolean, language: "en" | "es"): string {
  const say = FEEDBACK[language];
  if (unknown) return say.unknown;
  const notes = [
    rubric.accuracy < 5 ? say.accuracy : "",
    rubric.accuracy >= 5 && rubric.completeness < 6 ? say.completeness : "",
    rubric.clarity < 6 ? say.clarity : "",
    rubric.conciseness < 6 ? say.conciseness : "",
  ].filter((note) => note !== "");
  return notes.length === 0 ? say.good : notes.join(" ");
}

function tenths(share: number): number {
  return Math.round(Math.min(1, Math.max(0, share)) * 100) / 10;
}

export const FEEDBACK = {
  en: {
    unknown: "The answer says that it does not know; an answer exists.",
    accuracy: "The answer does not agree with the reference; look for another one.",
    completeness: "Part of the expected answer is missing.",
    clarity: "Write shorter, plainer sentences.",
    conciseness: "Leave out what was not asked.",
    good: "Nothing to mend.",
  },
  es: {
    unknown: "La respuesta dice que no lo sabe; existe una respuesta.",
    accuracy: "La respuesta no concuerda con la referencia; busca otra.",
    completeness: "Falta una parte de la respuesta esperada.",
    clarity: "Usa frases más cortas y sencillas.",
    conciseness: "Quita lo que no se preguntó.",
    good: "Nada que corregir.",
  },
} as const;
