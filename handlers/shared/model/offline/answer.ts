/**
 * What the offline model says to a question, and from where it has it.
 *
 * In: a question as the prompt carried it, which attempt it is, recorded answers. Out: an answer in the question's language
 * and its source. Never here: `best_answer` (it is not in the prompt), chance, HTTP.
 */
import { languageOf } from "../../text/language.ts";
import { sentencesOf } from "../../text/sentences.ts";
import type { RecordedAnswers } from "../../questions/recorded.ts";
import { questionId } from "../../questions/identity.ts";
import type { ModelQuestion } from "../model.ts";
import { extract } from "./extract.ts";
import { factFor } from "./facts.ts";

export type Source = "recorded" | "passage" | "facts" | "unknown";

export interface OfflineAnswer {
  readonly text: string;
  readonly source: Source;
}

export interface AnswerOptions {
  /** From 1. */
  readonly attempt: number;
  readonly recorded?: RecordedAnswers;
}

export function answerOffline(question: ModelQuestion, options: AnswerOptions): OfflineAnswer {
  const recorded = options.recorded?.get(questionId(question));
  if (recorded !== undefined && recorded.length > 0) {
    const text = recorded[Math.min(options.attempt, recorded.length) - 1] ?? "";
    return { text, source: "recorded" };
  }
  const quoted = extract(question);
  if (quoted !== undefined) return { text: quoted, source: "passage" };
  const fact = factFor(question.title);
  if (fact !== undefined) return { text: fact, source: "facts" };
  return { text: UNKNOWN[languageOf(question.title)], source: "unknown" };
}

/** A well-formed answer that is wrong, for tries of regeneration: a sentence of the passage that does not answer. */
export function badAnswer(question: ModelQuestion): string {
  const right = extract(question) ?? "";
  const others = sentencesOf(question.content).filter((sentence) => !sentence.includes(right));
  return others.at(-1) ?? WRONG[languageOf(question.title)];
}

const UNKNOWN = {
  en: "I don't know. (The offline model answers from the passage and from a few facts only.)",
  es: "No lo sé. (El modelo sin conexión solo responde con el pasaje y con unos pocos datos.)",
} as const;

const WRONG = {
  en: "It was the blue teapot.",
  es: "Fue la tetera azul.",
} as const;
