/**
 * Right and wrong answers that no person labelled: made from passages with marked answers (XQuAD), so that the label
 * follows from how they were made.
 *
 * In: questions with passage and reference; for "translated", the same questions in another language. Out: one labelled
 * answer a question and way. Never here: judging; chance (the same files give the same rows).
 */
import type { DatasetQuestion } from "../../handlers/shared/questions/dataset.ts";
import { languageOf } from "../../handlers/shared/text/language.ts";
import { sentencesOf } from "../../handlers/shared/text/sentences.ts";
import { contentTokens, isNumber, tokens } from "../../handlers/shared/text/tokens.ts";
import type { LabelledAnswer } from "./labelled.ts";

type Made = Pick<LabelledAnswer, "system" | "answer" | "right">;

export function constructedAnswers(
  questions: readonly DatasetQuestion[],
  parallel?: readonly DatasetQuestion[],
): readonly LabelledAnswer[] {
  const others = Map.groupBy(questions, ({ content }) => content);
  return questions.flatMap((question, index) => {
    const translated = parallel?.[index];
    const made = [
      ...fromPassage(question),
      ...fromOtherAnswers(question, others.get(question.content) ?? []),
      ...fromReference(question),
      ...(translated ? [{ system: "translated", answer: translated.best_answer, right: true }] : []),
    ];
    return made.map((one) => ({
      ...one,
      title: question.title,
      reference: question.best_answer,
      half: "unseen" as const,
    }));
  });
}

/**
 * The sentence that holds the reference is right; the sentence without it that has most words of the question is wrong (a
 * passage that says the same twice in other words makes that label wrong now and then).
 */
function fromPassage({ title, content, best_answer }: DatasetQuestion): Made[] {
  const sentences = sentencesOf(content);
  const asked = new Set(contentTokens(title));
  const shared = (sentence: string) => contentTokens(sentence).filter((word) => asked.has(word)).length;
  const nearest = (list: readonly string[]) =>
    list.toSorted((left, right) => shared(right) - shared(left))[0];
  const holding = nearest(sentences.filter((sentence) => holds(sentence, best_answer)));
  const lacking = nearest(sentences.filter((sentence) => !sharesWord(sentence, best_answer)));
  return [
    ...(holding === undefined ? [] : [{ system: "sentence", answer: holding, right: true }]),
    ...(lacking === undefined ? [] : [{ system: "other sentence", answer: lacking, right: false }]),
  ];
}

/** What answers another question about the same passage is wrong here: of the same kind (number or not) where there is one. */
function fromOtherAnswers(
  { title, best_answer }: DatasetQuestion,
  family: readonly DatasetQuestion[],
): Made[] {
  const numeric = tokens(best_answer).some(isNumber);
  const candidates = family
    .filter((other) => other.title !== title && !sharesWord(other.best_answer, best_answer))
    .map((other) => other.best_answer);
  const alike = candidates.find((answer) => tokens(answer).some(isNumber) === numeric) ?? candidates[0];
  return alike === undefined ? [] : [{ system: "other answer", answer: alike, right: false }];
}

/** The bare reference, its denial, and one of its numbers changed. */
function fromReference({ title, best_answer }: DatasetQuestion): Made[] {
  const spanish = languageOf(title) === "es";
  const changed = best_answer.replace(/\d(?!.*\d)/, (digit) => String((Number(digit) + 1) % 10));
  return [
    { system: "reference", answer: best_answer, right: true },
    {
      system: "denied",
      answer: spanish ? `No es ${best_answer}.` : `It is not ${best_answer}.`,
      right: false,
    },
    ...(changed === best_answer ? [] : [{ system: "number changed", answer: changed, right: false }]),
  ];
}

function holds(text: string, reference: string): boolean {
  return ` ${tokens(text).join(" ")} `.includes(` ${tokens(reference).join(" ")} `);
}

function sharesWord(text: string, reference: string): boolean {
  const words = new Set(contentTokens(text));
  const wanted = contentTokens(reference);
  return wanted.length === 0 ? holds(text, reference) : wanted.some((word) => words.has(word));
}
