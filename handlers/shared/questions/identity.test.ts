import { describe, expect, test } from "bun:test";
import { canonicalText, questionId } from "./identity.ts";

const SCRIPT = new URL("./question-id.sh", import.meta.url).pathname;

describe("the id of a question", () => {
  test("is the first 32 hex digits of SHA-256 over both canonical texts and U+001F", () => {
    const id = questionId({ title: "What is Kafka?", content: "" });
    const bytes = new TextEncoder().encode("what is kafka?\u001f");
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    expect(id).toBe(digest.slice(0, 32));
  });

  test("ignores case, the amount and kind of white space, and how accents are composed", () => {
    const plain = questionId({ title: "¿cuándo nació goya?", content: "a b" });
    expect(questionId({ title: "  ¿Cuándo\t\u00a0nació \n Goya? ", content: "A\u2003b\ufeff" })).toBe(plain);
    expect(questionId({ title: "¿Cua\u0301ndo nacio\u0301 Goya?", content: "a b" })).toBe(plain);
  });

  test("tells title and content apart, even when a text holds the separator itself", () => {
    const ids = [
      questionId({ title: "a b", content: "" }),
      questionId({ title: "a", content: "b" }),
      questionId({ title: "a\u001fb", content: "c" }),
      questionId({ title: "a", content: "b\u001fc" }),
    ];
    expect(new Set(ids).size).toBe(4);
  });

  test("canonical text is canonical again", () => {
    for (const text of ["  ΑΣ ΟΔΟΣ ", "İstanbul", "Ｆｕｌｌ", "Ǆ x", "e\u0301\u0327"]) {
      expect(canonicalText(canonicalText(text))).toBe(canonicalText(text));
    }
  });

  test.each([
    ["What is Kafka?", ""],
    ["  ¿CUÁNDO\t nació\nGoya? ", "El  pasaje ÑU\n\n"],
    ['it\'s "quoted" $HOME `x` \\n %s', "-n"],
  ])("is what the shell line of the docs computes, for %p", (title, content) => {
    const { stdout } = Bun.spawnSync(["sh", SCRIPT, title, content]);
    expect(stdout.toString().trim()).toBe(questionId({ title, content }));
  });
});
