import { expect, test } from "bun:test";
import { keptText, keyText, originalText, shownText } from "./text.ts";

const ODD = [
  "",
  "plain",
  "\0",
  "\\u0000",
  "\\",
  "a\\\\b",
  "\ud800",
  "\udc00x",
  "🦉",
  "\ud83e",
  "\\\0\\",
  "\\u00",
  "ñ\0\ud800\\",
];

test("kept text holds neither U+0000 nor lone surrogates, and turns back exactly", () => {
  for (const text of ODD) {
    expect(keptText(text)).not.toContain("\0");
    expect(keptText(text).isWellFormed()).toBe(true);
    expect(originalText(keptText(text))).toBe(text);
  }
});

test("no two texts are kept alike", () => {
  expect(new Set(ODD.map(keptText)).size).toBe(ODD.length);
});

test("shown text is cut and well formed, also where the cut halves a pair", () => {
  expect(shownText("ab\0c", 3)).toBe("ab\\u0000");
  expect(shownText("a🦉", 2).isWellFormed()).toBe(true);
});

test("a key is short, and long ones differ by their digest", () => {
  const long = "x".repeat(5_000);
  expect(keyText("short")).toBe("short");
  expect(keyText(`${long}a`).length).toBeLessThan(200);
  expect(keyText(`${long}a`)).not.toBe(keyText(`${long}b`));
});
