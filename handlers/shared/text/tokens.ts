/**
 * Words and numbers of a text in a form that can be compared: no case, no accents, one spelling of a number.
 *
 * In: any text, English or Spanish. Out: plain strings. Never here: meaning, dictionaries of facts, the network.
 */

/** Lower case without accents or compatibility forms: "Röntgen" → "rontgen", "Año" → "ano". */
export function fold(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase();
}

/**
 * The words and numbers of a text, in order. Numbers lose their separators ("1,000" and "1.000" → "1000"),
 * ordinals their ending ("21st" → "21"), small number words become digits ("seven", "siete" → "7"), months and ISO dates
 * one spelling ("2018-05-18", "18 de mayo de 2018" → "18 may 2018").
 */
export function tokens(text: string): string[] {
  return rawTokens(text).map((word) => ONE_SPELLING.get(word) ?? word);
}

/** As `tokens`, without the words that carry no content in English or Spanish. */
export function contentTokens(text: string): string[] {
  return tokens(text).filter((token) => !STOP_WORDS.has(token));
}

export function isStopWord(token: string): boolean {
  return STOP_WORDS.has(token);
}

/** Numbers only: tokens that start with a digit. */
export function numbersOf(list: readonly string[]): string[] {
  return list.filter(isNumber);
}

export function isNumber(token: string): boolean {
  const code = token.charCodeAt(0);
  return code >= 48 && code <= 57;
}

/** A word cut to its likely stem, so that "winning", "wins" and "won" or "ganó", "ganaron" come near each other. */
export function stem(token: string): string {
  if (token.length <= 4 || isNumber(token)) return token;
  for (const ending of ENDINGS) {
    if (token.length - ending.length >= 4 && token.endsWith(ending)) return token.slice(0, -ending.length);
  }
  return token;
}

/** Likeness of two words, 0 to 1: one minus their edit distance over the longer length. Numbers are equal or not. */
export function likeness(left: string, right: string): number {
  if (left === right) return 1;
  if (isNumber(left) || isNumber(right)) return 0;
  const longer = Math.max(left.length, right.length);
  if (longer < 4 || longer > LONGEST_COMPARED_WORD) return 0;
  if (Math.abs(left.length - right.length) > longer / 2) return 0;
  return 1 - editDistance(left, right) / longer;
}

/** Words longer than this are compared for equality only; the distance costs the product of both lengths. */
const LONGEST_COMPARED_WORD = 40;

function rawTokens(text: string): string[] {
  const plain = fold(text)
    .replace(/\b(\d{4})-(\d{2})-(\d{2})\b/g, (_, year: string, month: string, day: string) => {
      return `${Number(day)} ${MONTHS[Number(month) - 1] ?? month} ${year}`;
    })
    .replace(/['’`´]s\b/g, "")
    .replace(/(\d)[.,\u00a0\u202f](?=\d{3}(?!\d))/g, "$1")
    .replace(/(\d)[.,]0+(?!\d)/g, "$1")
    .replace(/(\d)(?:st|nd|rd|th|º|ª|°)\b/g, "$1");
  return plain.match(/\d+(?:[.,]\d+)?|\p{L}+/gu) ?? [];
}

function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const substitution =
        (previous[column - 1] ?? 0) + (left.charCodeAt(row - 1) === right.charCodeAt(column - 1) ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}

const ENDINGS = (
  "amientos imientos amiento imiento aciones iciones acion icion iendo ieron aron ando ations ation ingly " +
  "ados idos adas idas ado ido ada ida ings ment tion sion ing ies ied ers ed es er ly os as s a o e y"
).split(" ");

const MONTHS = "january february march april may june july august september october november december".split(
  " ",
);

const ONE_SPELLING = new Map(
  (
    "enero:january febrero:february marzo:march abril:april mayo:may junio:june julio:july agosto:august " +
    "septiembre:september setiembre:september octubre:october noviembre:november diciembre:december " +
    "zero:0 two:2 three:3 four:4 five:5 six:6 seven:7 eight:8 nine:9 ten:10 eleven:11 twelve:12 thirteen:13 " +
    "fourteen:14 fifteen:15 sixteen:16 seventeen:17 eighteen:18 nineteen:19 twenty:20 thirty:30 forty:40 fifty:50 " +
    "sixty:60 seventy:70 eighty:80 ninety:90 first:1 third:3 fourth:4 fifth:5 sixth:6 seventh:7 eighth:8 ninth:9 " +
    "tenth:10 twice:2 cero:0 dos:2 tres:3 cuatro:4 cinco:5 seis:6 siete:7 ocho:8 nueve:9 diez:10 once:11 doce:12 " +
    "trece:13 catorce:14 quince:15 dieciseis:16 diecisiete:17 dieciocho:18 diecinueve:19 veinte:20 treinta:30 " +
    "cuarenta:40 cincuenta:50 sesenta:60 setenta:70 ochenta:80 noventa:90 cien:100 primero:1 primera:1 tercero:3 " +
    "tercera:3 cuarto:4 quinto:5 sexto:6"
  )
    .split(" ")
    .map((pair) => pair.split(":") as [string, string]),
);

const STOP_WORDS = new Set(
  (
    "a an the of in on at to for from by with and or but is are was were be been being it its this that these those " +
    "as into than then there their they them he she his her him we our you your i me my do does did done has have had " +
    "will would can could should may might not no so if also which who whom whose what when where why how s t " +
    "el la los las un una unos unas de del al en por para con y e o u que es son era eran fue fueron ser sido lo le " +
    "les se su sus como mas pero si ya esta este estos estas ese esa eso hay ha han habia muy tambien cual cuales " +
    "quien quienes cuando donde cuanto cuanta cuantos cuantas porque entre sobre sin hasta desde"
  ).split(" "),
);

/** The lists above, for whoever counts the same words in another language. */
export const TOKEN_TABLES = {
  endings: ENDINGS,
  months: MONTHS,
  oneSpelling: [...ONE_SPELLING],
  stopWords: [...STOP_WORDS],
  longestComparedWord: LONGEST_COMPARED_WORD,
};
