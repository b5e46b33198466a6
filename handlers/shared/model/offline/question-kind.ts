/**
 * What a question asks for, told from its question word, and whether a phrase could be it.
 *
 * In: a title in English or Spanish; a sentence. Out: a kind; the phrases of a sentence that fit the kind.
 * Never here: which of the phrases is the answer.
 */
import { fold } from "../../text/tokens.ts";

export type Kind = "who" | "when" | "where" | "amount" | "duration" | "thing";

export function kindOf(title: string): Kind {
  const asked = fold(title);
  for (const [kind, pattern] of KINDS) if (pattern.test(asked)) return kind;
  return "thing";
}

/**
 * Phrases of the sentence, as they stand there, that could answer a question of this kind; in order.
 * A lone word that opens the sentence is no name: its capital says nothing.
 */
export function phrasesOf(sentence: string, kind: Kind): readonly string[] {
  const named = kind === "who" || kind === "where";
  return [...sentence.matchAll(PHRASES[kind])]
    .filter(({ 0: phrase, index }) => !(named && index === 0 && !phrase.includes(" ")))
    .map(([phrase]) => phrase.trim())
    .filter((phrase) => phrase !== "");
}

/** In order of trust: "in what year did who …" asks when. */
const KINDS: readonly (readonly [Kind, RegExp])[] = [
  ["duration", /\bhow long\b|\bcuanto (?:tiempo|tarda|tardan|tardo|dura|duran|duro)\b/],
  ["amount", /\bhow (?:many|much|far|tall|large|big|old|often|high|deep|fast)\b|\bcuant[oa]s?\b/],
  [
    "amount",
    /\b(?:what|which) (?:percent|percentage|number|amount|share|proportion|fraction|score|population)\b/,
  ],
  ["amount", /\bque (?:porcentaje|numero|cantidad|proporcion|fraccion|parte)\b/],
  ["when", /\bwhen\b|\b(?:what|which) (?:year|month|day|date|decade|century|time)\b|\bcuando\b/],
  ["when", /\bque (?:ano|mes|dia|fecha|decada|siglo|epoca)\b/],
  [
    "who",
    /\bwho(?:m|se)?\b|\bquien(?:es)?\b|\b(?:what|which) (?:person|man|woman|player|king|president|actor)\b/,
  ],
  [
    "where",
    /\bwhere\b|\bdonde\b|\b(?:what|which) (?:city|country|place|state|river|region|continent|location|area)\b/,
  ],
  ["where", /\bque (?:ciudad|pais|lugar|estado|rio|region|continente|zona)\b/],
];

const NAME =
  /(?:\p{Lu}[\p{L}\p{M}.'’-]*)(?:\s+(?:(?:de|del|la|las|los|of|the|von|van|y|and|&)\s+)*\p{Lu}[\p{L}\p{M}.'’-]*)*/gu;
const PERSON = new RegExp(`${NAME.source}|\\b(?:by|por)\\s+(?:the|an?|el|la|los|las|una?)\\s+\\p{L}+`, "gu");
const PLACE = new RegExp(
  `${NAME.source}|\\b(?:in|at|on|en)\\s+(?:the|an?|el|la|los|las|una?)\\s+\\p{L}+`,
  "gu",
);
const NUMBER =
  /[$€£]?\d+(?:[.,\u00a0]\d+)*(?:\s?%|\s(?:por ciento|percent|mil|million(?:es|s)?|millon(?:es)?|billion|billones)\b)?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?|half|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|cientos|miles|mitad|dozen)\b/giu;
const DURATION =
  /(?:\d+(?:[.,]\d+)?|\b\p{L}+)\s(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centuries|segundos?|minutos?|horas?|d[ií]as?|semanas?|mes(?:es)?|años?|d[eé]cadas?|siglos?)(?![\p{L}])(?:\s(?:y|and)\s(?:media|cuarto|a half|half))?/giu;
const DATE =
  /\b(?:\d{1,2}\s+(?:de\s+)?)?(?:january|february|march|april|may|june|july|august|september|october|november|december|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre)(?:\s+(?:de\s+)?\d{1,4}(?:,\s*\d{4})?)?|\b1?\d{3}s?\b|\b20\d{2}s?\b|\b(?:siglo\s+[IVX]+|\d{1,2}th century)\b/giu;

const PHRASES: Readonly<Record<Kind, RegExp>> = {
  who: PERSON,
  where: PLACE,
  when: DATE,
  amount: NUMBER,
  duration: DURATION,
  thing: /[^,;:()—–]+/gu,
};
