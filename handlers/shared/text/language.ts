/**
 * English or Spanish, told from the small words of a text.
 *
 * In: a text. Out: "es" or "en" (when in doubt "en"). Never here: any other language.
 */
import { fold } from "./tokens.ts";

export type Language = "en" | "es";

export function languageOf(text: string): Language {
  let spanish = /[¿¡ñ]/i.test(text) ? 3 : 0;
  let english = 0;
  for (const word of fold(text).match(/\p{L}+/gu) ?? []) {
    if (SPANISH.has(word)) spanish++;
    else if (ENGLISH.has(word)) english++;
  }
  return spanish > english ? "es" : "en";
}

const SPANISH = new Set(
  (
    "el la los las un una de del al en por para con y que es son era fue fueron se su sus como pero cual cuales quien " +
    "quienes cuando donde cuanto cuanta cuantos cuantas porque entre sobre sin hasta desde tiene esta qué hay cuantas"
  ).split(" "),
);
const ENGLISH = new Set(
  (
    "the of in on at to for from by with and is are was were be it that this as which who whom what when where why how " +
    "many much do does did has have had will can not there their his her"
  ).split(" "),
);

/** The lists above, for whoever tells the language in another one. */
export const LANGUAGE_TABLES = { spanish: [...SPANISH], english: [...ENGLISH] };
