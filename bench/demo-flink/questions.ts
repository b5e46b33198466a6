/**
 * Questions for whoever has no data set at hand: each with a passage that answers it, or does not.
 *
 * In: how many. Out: so many different questions in English and Spanish, the same ones every time. One in ten has a passage that
 * speaks of something else: its answers do not pass, and it goes round until its attempts are spent.
 */
import { questionId } from "../../handlers/shared/questions/identity.ts";
import type { ChosenQuestion } from "../demo-real/questions.ts";

export function generatedQuestions(count: number): readonly ChosenQuestion[] {
  const questions: ChosenQuestion[] = [];
  for (let index = 0; index < count; index++) {
    const made = (index % 2 === 0 ? english : spanish)(index, index % 10 === 9);
    questions.push({ ...made, id: questionId(made) });
  }
  return questions;
}

function english(index: number, unanswerable: boolean) {
  const minutes = 12 + ((index * 7) % 200);
  const passage = unanswerable
    ? "Bicycles travel free of charge. Dogs are welcome on deck."
    : `Ferry ${index} leaves the harbour at seven. The crossing with ferry ${index} takes ${minutes} minutes.`;
  return {
    title: `How long does the crossing with ferry ${index} take?`,
    content: `${passage} It does not sail in a storm.`,
    best_answer: `${minutes} minutes`,
  };
}

function spanish(index: number, unanswerable: boolean) {
  const year = 1500 + (index % 500);
  const passage = unanswerable
    ? "Su dueño era panadero. En invierno no gira la rueda."
    : `El molino número ${index} se construyó en ${year}. Su dueño era panadero.`;
  return {
    title: `¿En qué año se construyó el molino número ${index}?`,
    content: `${passage} Una riada se llevó el puente.`,
    best_answer: String(year),
  };
}
