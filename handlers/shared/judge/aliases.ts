/**
 * The ways in which a reference can be read: data sets list several spellings of one answer in a single text.
 *
 * In: a reference as the asker wrote it. Out: one or more readings, each with at least one word; any of them is enough.
 * Never here: comparing them with an answer; which of them is the best.
 */
import { isNumber, tokens } from "../text/tokens.ts";

/** TriviaQA names up to some hundred spellings; beyond these numbers nothing is compared. */
const MOST_ALIASES = 256;
const LONGEST_REFERENCE = 20_000;

/**
 * "a/b", "a; b" or "a | b" name the same thing in several ways. A slash inside one name ("24/7", "120 km/h", "AC/DC") is
 * no such sign. What stands in parentheses may be left out: "Neptune (planet)" is met by "Neptune" too.
 */
export function aliasesOf(reference: string): readonly string[] {
  const text = reference.slice(0, LONGEST_REFERENCE);
  const found = new Map<string, string>();
  for (const part of partsOf(text).flatMap((name) => [name, withoutAside(name)])) {
    const words = tokens(part).join(" ");
    if (words !== "" && !found.has(words)) found.set(words, part);
    if (found.size === MOST_ALIASES) break;
  }
  return found.size === 0 ? [text] : [...found.values()];
}

function partsOf(text: string): readonly string[] {
  return text
    .split(/[;|\n]/)
    .flatMap(splitAtSlashes)
    .map(trim)
    .filter(Boolean);
}

function splitAtSlashes(text: string): readonly string[] {
  const parts = text.split("/").map(trim).filter(Boolean);
  return isList(parts) ? parts : [text];
}

/**
 * Two parts are a list when both are longer than two characters, or one is a number and the other spells it. More parts
 * are one too, but for a date in figures ("9/11/2001").
 */
function isList(parts: readonly string[]): boolean {
  if (parts.every((part) => part.length > 2)) return true;
  if (parts.length > 2) return !parts.every(isNumber);
  const [left = "", right = ""] = parts;
  return spells(left, right) || spells(right, left);
}

function spells(figure: string, word: string): boolean {
  return /^\d+$/.test(figure) && /^\p{L}[\p{L}\s-]{2,}$/u.test(word);
}

/** Without "(…)"; a name that is nothing else stays. */
function withoutAside(name: string): string {
  return trim(name.replace(/\s*\([^()]*\)\s*/g, " ")) || name;
}

function trim(text: string): string {
  return text.trim();
}

/** Limits from above, for whoever reads references in another language. */
export const ALIAS_TABLES = { mostAliases: MOST_ALIASES, longestReference: LONGEST_REFERENCE };
