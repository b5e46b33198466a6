import { describe, expect, test } from "bun:test";
import { languageOf } from "./language.ts";
import { sentencesOf } from "./sentences.ts";
import { contentTokens, likeness, stem, tokens } from "./tokens.ts";

describe("words and numbers", () => {
  test.each([
    ["1,000 people", "1.000 people"],
    ["seven", "siete"],
    ["the 21st of May 2018", "the 21 of mayo 2018"],
    ["2018-05-18", "18 may 2018"],
    ["Wilhelm Röntgen's", "wilhelm RONTGEN"],
  ])("%p and %p are spelled alike", (left, right) => {
    expect(tokens(left)).toEqual(tokens(right));
  });

  test("decimals stay decimals", () => {
    expect(tokens("3.14 and 299,792,458")).toEqual(["3.14", "and", "299792458"]);
  });

  test("words without content are left out in both languages", () => {
    expect(contentTokens("¿Cuál es la capital de Francia?")).toEqual(["capital", "francia"]);
    expect(contentTokens("What is the capital of France?")).toEqual(["capital", "france"]);
  });

  test("forms of one word have one stem, and numbers are never alike", () => {
    expect(stem("winning")).toBe(stem("winnings"));
    expect(likeness("rontgen", "roentgen")).toBeGreaterThan(0.8);
    expect(likeness("1984", "1985")).toBe(0);
  });
});

test("sentences do not end at initials, short forms or decimals", () => {
  expect(sentencesOf("J. J. Watt met Dr. Ruiz at 3.5 km. ¿Y luego? Nada.\nFin")).toEqual([
    "J. J. Watt met Dr. Ruiz at 3.5 km.",
    "¿Y luego?",
    "Nada.",
    "Fin",
  ]);
});

test("tells Spanish from English, and says English when there is nothing to tell by", () => {
  expect(languageOf("Quien pinto el Guernica")).toBe("es");
  expect(languageOf("Who painted it?")).toBe("en");
  expect(languageOf("")).toBe("en");
});
