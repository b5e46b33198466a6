import { describe, expect, test } from "bun:test";
import { aliasesOf } from "./aliases.ts";
import { chanceRight, judgeOffline, offlineJudge } from "./offline.ts";
import { CRITERIA, RUBRIC, passes, rubricHash, totalOf } from "./rubric.ts";

const NEVER = new AbortController().signal;

const right = (title: string, best_answer: string, answer: string) =>
  chanceRight({ title, best_answer, answer }) >= 0.5;

describe("the rubric", () => {
  test("weighs 40, 25, 20, 10 and 5 percent", () => {
    expect(CRITERIA.map((name) => Math.round(RUBRIC[name].weight * 100))).toEqual([40, 25, 20, 10, 5]);
    expect(totalOf({ accuracy: 10, completeness: 10, clarity: 10, conciseness: 10, usefulness: 10 })).toBe(
      10,
    );
  });

  test("a wrong answer that is perfect in all else has 6.0 and does not pass", () => {
    const score = totalOf({ accuracy: 0, completeness: 10, clarity: 10, conciseness: 10, usefulness: 10 });
    expect(score).toBe(6);
    expect(passes({ score, gate_passed: false })).toBeFalse();
    expect(passes({ score, gate_passed: true })).toBeTrue();
    expect(passes({ score, gate_passed: true }, 6.5)).toBeFalse();
  });

  test("takes no criterion outside 0 to 10", () => {
    expect(totalOf({ accuracy: 99, completeness: -5, clarity: NaN, conciseness: 0, usefulness: 0 })).toBe(4);
  });

  test("has a hash of 12 hex digits that stays the same", async () => {
    expect(await rubricHash()).toMatch(/^[0-9a-f]{12}$/);
    expect(await rubricHash()).toBe(await rubricHash());
  });
});

describe("the offline judge", () => {
  test.each([
    [
      "who got the first nobel prize in physics",
      "Wilhelm Conrad Röntgen",
      "It went to Wilhelm Rontgen in 1901.",
    ],
    ["¿Quién pintó Las Meninas?", "Diego Velázquez", "Las pinto Velazquez."],
    ["¿Cuándo cayó el Muro de Berlín?", "9 de noviembre de 1989", "The Berlin Wall fell on 1989-11-09."],
    ["how many planets are there", "eight", "There are 8 planets."],
    ["how many people live there", "1,200", "About 1200 people."],
    ["who plays the doctor", "Peter Capaldi/Capaldi", "Capaldi."],
    ["which mode is used", "MFSK / Olivia", "Olivia is used."],
    ["how old was he", "27/twenty-seven", "He was 27 years old."],
    ["which band is it", "The Who", "It is The Who."],
    ["which planet is it", "Neptune (planet)/8th planet/♆/Neptuno", "It is Neptune."],
    ["which letter", "O/O (letter)/ℴ", "The letter is O."],
    ["which law is it", "No Child Left Behind", "It is No Child Left Behind."],
    ["how many teams", "36.0", "There are 36 teams."],
    ["is he afraid", "True/True (song)/TRUE", "Yes, he is."],
    ["is water wet", "Yes", "Yes, it is."],
    ["¿es cierto?", "no", "No, no lo es."],
  ])("%p: %p is met by %p", (title, reference, answer) => {
    expect(right(title, reference, answer)).toBeTrue();
  });

  test.each([
    ["who got the first nobel prize in physics", "Wilhelm Conrad Röntgen", "It went to Marie Curie in 1903."],
    ["when did the wall fall", "9 November 1989", "It fell in 1961."],
    ["how many points", "308", "They allowed 380 points."],
    ["when was the vote", "July 2, 1776", "The vote was on July 4, 1776."],
    ["how many people", "10 million", "11 million"],
    ["which planet is it", "Neptune (planet)/8th planet/♆/Neptuno", "It is Uranus."],
    ["who got it", "Eva", "I don't know."],
    ["¿Quién fue?", "Eva", "No lo sé."],
    ["what is the capital", "Canberra", "The capital is not Canberra."],
    ["¿Cuál es la capital?", "Canberra", "La capital no es Canberra, es Sídney."],
    ["is water dry", "No", "Yes, it is."],
    ["who got it", "Eva", ""],
  ])("%p: %p is not met by %p", (title, reference, answer) => {
    expect(right(title, reference, answer)).toBeFalse();
  });

  test("passes a right answer, stops a wrong one and says what to mend without giving the reference away", () => {
    const asked = { title: "What is the capital of Australia?", content: "", best_answer: "Canberra" };
    const good = judgeOffline({ ...asked, answer: "The capital of Australia is Canberra." });
    const bad = judgeOffline({ ...asked, answer: "The capital of Australia is Sydney." });
    expect(passes(good)).toBeTrue();
    expect(passes(bad)).toBeFalse();
    expect(bad.gate_passed).toBeFalse();
    expect(bad.feedback).not.toContain("Canberra");
    expect(good.score).toBe(totalOf(good.rubric));
  });

  test("says in every judgement that it is reference-based and that the rest is heuristics", async () => {
    const judgement = await offlineJudge().score(
      { title: "a", content: "", best_answer: "b", answer: "c" },
      NEVER,
    );
    expect(judgement.judge).toMatch(/offline.*reference-based.*heuristics/);
  });

  test("an answer that drowns in words is less concise", () => {
    const asked = { title: "capital of Australia", content: "", best_answer: "Canberra" };
    const short = judgeOffline({ ...asked, answer: "Canberra." });
    const long = judgeOffline({ ...asked, answer: `Canberra. ${"And one more thing to say. ".repeat(60)}` });
    expect(long.rubric.conciseness).toBeLessThan(short.rubric.conciseness / 2);
  });

  test("survives what is no text at all", () => {
    for (const answer of ["", "???", "🙂", "\u0000", "x".repeat(1_000_000), "words ".repeat(100_000)]) {
      const { score } = judgeOffline({ title: "?", content: "", best_answer: "/", answer });
      judgeOffline({ title: answer, content: "", best_answer: answer, answer });
      expect(score).toBeWithin(0, 10.01);
    }
  });

  test("a list of thousands of spellings and an answer of thousands of words are judged within the bounds", () => {
    const words = (count: number, salt: number) =>
      Array.from(
        { length: count },
        (_, index) => `w${"abcdefghij"[(index * salt) % 10]}${index.toString(36)}q`,
      );
    const reference = words(5_000, 3).join(" / ");
    const { score } = judgeOffline({
      title: "?",
      content: "",
      best_answer: reference,
      answer: words(5_000, 7).join(" "),
    });
    expect(score).toBeWithin(0, 10.01);
    expect(aliasesOf(reference).length).toBeLessThanOrEqual(256);
  });
});

test.each([
  ["Olivia/MFSK", ["Olivia", "MFSK"]],
  ["a cat; a dog | a fox", ["a cat", "a dog", "a fox"]],
  ["27/twenty-seven", ["27", "twenty-seven"]],
  ["3/Three/third place", ["3", "third place"]],
  ["Neptune (planet)", ["Neptune (planet)", "Neptune"]],
  ["(North Atlantic) Gannet", ["(North Atlantic) Gannet", "Gannet"]],
  ["🜚/Gold/Au (element)", ["Gold", "Au (element)", "Au"]],
  ["24/7", ["24/7"]],
  ["120 km/h", ["120 km/h"]],
  ["AC/DC", ["AC/DC"]],
  ["9/11/2001", ["9/11/2001"]],
  ["1938/1933", ["1938", "1933"]],
  ["(?)", ["(?)"]],
  ["", [""]],
])("%p can be read as %p", (reference, readings) => {
  expect(aliasesOf(reference)).toEqual(readings);
});
