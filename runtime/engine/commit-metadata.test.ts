import { expect, test } from "bun:test";
import { readFinishedAbove, writeFinishedAbove } from "./commit-metadata.ts";
import type { Run } from "./frontier.ts";
import { LIMITS } from "./limits.ts";

const LIFE = "0f3c5a7e9b1d2f4c6e8a0b2d4f6c8e0a/7";

/** Chance that is the same in every run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Runs above an offset as they may come: dense, sparse, alternating. */
function randomRuns(random: () => number, offset: number): Run[] {
  const longest = 1 + Math.floor(random() * 200);
  const runs: Run[] = [];
  let at = offset;
  for (let count = 1 + Math.floor(random() * 300); count > 0; count--) {
    const from = at + 1 + Math.floor(random() * longest);
    at = from + 1 + Math.floor(random() * longest);
    runs.push({ from, to: at });
  }
  return runs;
}

test("what is written is read back, for a thousand patterns at small and at the greatest offsets", () => {
  const random = chance(7);
  for (let round = 0; round < 1_000; round++) {
    const offset = Math.floor(random() * (round % 2 === 0 ? 1_000 : Number.MAX_SAFE_INTEGER - 1_000_000));
    const above = randomRuns(random, offset);
    const text = writeFinishedAbove({ offset, life: LIFE, above });
    expect(text.length).toBeLessThanOrEqual(LIMITS.metadataBytes);
    expect(readFinishedAbove(text, { offset, life: LIFE })).toEqual(above);
  }
});

test("nothing finished above is no text at all", () => {
  expect(writeFinishedAbove({ offset: 5, life: LIFE, above: [] })).toBe("");
});

test("a thousand messages above a slow one take a few dozen bytes", () => {
  const text = writeFinishedAbove({ offset: 40, life: LIFE, above: [{ from: 41, to: 1_041 }] });
  expect(text.length).toBeLessThan(100);
});

test("every second of 24,000 offsets fits; of more, the lowest are kept and nothing else is claimed", () => {
  const offset = 1_000_000;
  const alternating = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ from: offset + 1 + 2 * at, to: offset + 2 + 2 * at }));
  const read = (above: readonly Run[]) => {
    const text = writeFinishedAbove({ offset, life: LIFE, above });
    expect(text.length).toBeLessThanOrEqual(LIMITS.metadataBytes);
    return readFinishedAbove(text, { offset, life: LIFE });
  };
  expect(read(alternating(12_000))).toEqual(alternating(12_000));
  const cut = read(alternating(50_000));
  expect(cut.length).toBeGreaterThanOrEqual(12_000);
  expect(cut).toEqual(alternating(cut.length));
});

test("a text beside another offset or of another life of the log says nothing", () => {
  const text = writeFinishedAbove({ offset: 40, life: LIFE, above: [{ from: 41, to: 50 }] });
  expect(readFinishedAbove(text, { offset: 39, life: LIFE })).toEqual([]);
  expect(readFinishedAbove(text, { offset: 40, life: `${LIFE}1` })).toEqual([]);
  expect(readFinishedAbove(text, { offset: 40, life: "" })).toEqual([]);
});

test("a foreign text says nothing", () => {
  for (const text of [
    "",
    "cauce1.",
    "cauce1.!!!!",
    "AAAA",
    "kafka-streams",
    "cauce2.AAAAAAAA",
    "ñ".repeat(300),
  ])
    expect(readFinishedAbove(text, { offset: 40, life: LIFE })).toEqual([]);
});

test("a damaged text says nothing and throws nothing, wherever it is damaged", () => {
  const random = chance(11);
  const above = randomRuns(random, 40);
  const text = writeFinishedAbove({ offset: 40, life: LIFE, above });
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (let at = 0; at < text.length; at++) {
    const other = alphabet[Math.floor(random() * 64)] ?? "A";
    if (other === text[at] || text[at] === "=") continue;
    const damaged = text.slice(0, at) + other + text.slice(at + 1);
    // The last digit of Base64 may carry bits that no byte has: then nothing is damaged.
    expect([[], above]).toContainEqual(readFinishedAbove(damaged, { offset: 40, life: LIFE }));
    if (at < text.length - 4) expect(readFinishedAbove(damaged, { offset: 40, life: LIFE })).toEqual([]);
    expect(readFinishedAbove(text.slice(0, at), { offset: 40, life: LIFE })).toEqual([]);
  }
});

test("chance alone never makes a text that is believed", () => {
  const random = chance(13);
  for (let round = 0; round < 2_000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256));
    const text = `cauce1.${Buffer.from(bytes).toString("base64")}`;
    expect(readFinishedAbove(text, { offset: 0, life: "" })).toEqual([]);
  }
});
