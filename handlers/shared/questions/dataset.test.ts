import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CauceError } from "cauce";
import { parseDataset, readDataset } from "./dataset.ts";
import { questionId } from "./identity.ts";
import { readRecordedAnswers } from "./recorded.ts";

const folder = await mkdtemp(join(tmpdir(), "cauce-dataset-"));
afterAll(() => rm(folder, { recursive: true }));

const EVOUNA = [
  {
    question: "who sang it",
    golden_answer: "Ana Ruiz/A. Ruiz",
    answer_a: "Ana",
    answer_b: "Ruiz",
    improper: false,
  },
  { question: "when is the next one", golden_answer: "soon", answer_a: null, improper: true },
  { question: "what is it", golden_answer: "a song", answer_a: "", answer_b: "A song.", improper: false },
];

const line = (title: string) => JSON.stringify({ title, content: "", best_answer: "x" });

describe("questions from a file", () => {
  test("reads an array of title, content and best answer", () => {
    const rows = [
      { title: "¿Qué?", content: "Esto.", best_answer: "esto" },
      { title: "b", best_answer: "c" },
    ];
    expect(parseDataset(JSON.stringify(rows))).toEqual({
      format: "questions",
      questions: [
        { title: "¿Qué?", content: "Esto.", best_answer: "esto" },
        { title: "b", content: "", best_answer: "c" },
      ],
      leftOut: 0,
    });
  });

  test("reads JSON lines with empty lines between, a byte order mark before and one line alone", () => {
    expect(parseDataset(`\uFEFF${line("a")}\r\n\r\n${line("b")}\n`).questions).toHaveLength(2);
    expect(parseDataset(line("a")).questions).toHaveLength(1);
  });

  test("reads XQuAD: question, passage, first answer; a question without answer is left out and counted", () => {
    const qas = [
      { question: "who?", answers: [{ text: "Eva" }, { text: "she" }] },
      { question: "why?", answers: [] },
    ];
    const dataset = parseDataset(
      JSON.stringify({ data: [{ paragraphs: [{ context: "\uFEFFEva did.", qas }] }] }),
    );
    expect(dataset).toEqual({
      format: "xquad",
      questions: [{ title: "who?", content: "Eva did.", best_answer: "Eva" }],
      leftOut: 1,
    });
  });

  test("reads EVOUNA: the first alias, without the improper rows", () => {
    const dataset = parseDataset(JSON.stringify(EVOUNA));
    expect(dataset.format).toBe("evouna");
    expect(dataset.leftOut).toBe(1);
    expect(dataset.questions[0]).toEqual({ title: "who sang it", content: "", best_answer: "Ana Ruiz" });
  });

  test.each([
    ["nothing", "[]", "holds no question"],
    ["text", "hello\nworld", "neither JSON nor JSON lines (line 1"],
    ["another shape", '[{"q":"a"}]', "none of the formats"],
    [
      "a number as title",
      '[{"title":"a","best_answer":"b"},{"title":4,"best_answer":"b"}]',
      'entry 2: "title"',
    ],
    ["half a pair of surrogates", '[{"title":"\\ud800","best_answer":"b"}]', 'entry 1: "title"'],
    ["null rows", '[{"title":"a","best_answer":"b"},null]', "entry 2 should be an object"],
    ["broken SQuAD", '{"data":[{"paragraphs":{}}]}', '"paragraphs" should be a list'],
  ])("refuses %s and says what was wrong", (_, text, message) => {
    expect(() => parseDataset(text, "q.json")).toThrow(message);
    expect(() => parseDataset(text, "q.json")).toThrow("q.json");
  });

  test("refuses a file that is not there", async () => {
    const reading = readDataset(join(folder, "absent.json"));
    expect(await reading.catch((thrown: unknown) => thrown)).toBeInstanceOf(CauceError);
  });
});

describe("recorded answers", () => {
  test("are the named systems' answers in the order of attempts, without the reference", async () => {
    const path = join(folder, "evouna.json");
    await Bun.write(path, JSON.stringify(EVOUNA));
    const recorded = await readRecordedAnswers(path, ["b", "a"]);
    expect(recorded.get(questionId({ title: "Who sang it", content: "" }))).toEqual(["Ruiz", "Ana"]);
    expect(recorded.get(questionId({ title: "what is it", content: "" }))).toEqual(["A song."]);
    expect(JSON.stringify([...recorded])).not.toContain("A. Ruiz");
  });

  test("a system that the file does not have is refused by name", async () => {
    const path = join(folder, "evouna.json");
    await Bun.write(path, JSON.stringify(EVOUNA));
    expect(readRecordedAnswers(path, ["a", "gpt9"])).rejects.toThrow("gpt9");
  });
});
