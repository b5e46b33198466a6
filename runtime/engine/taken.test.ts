import { expect, test } from "bun:test";
import { Taken } from "./taken.ts";

test("answers as a Set does, whatever the texts are and however many share a slot", () => {
  const taken = new Taken();
  const model = new Set<string>();
  // 30,000 texts for 8,192 slots; some differ only in the middle, which is not looked at.
  const middles = Array.from({ length: 50 }, (_, n) => `${"a".repeat(40)}${n}${"b".repeat(40)}`);
  const texts = ["", "é", "\u0000", ...middles, ...Array.from({ length: 30_000 }, (_, n) => `key-${n}`)];
  let seed = 1;
  const next = (below: number) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % below;
  for (let step = 0; step < 200_000; step++) {
    const text = texts[next(texts.length)] ?? "";
    if (next(3) === 0) {
      taken.delete(text);
      model.delete(text);
      continue;
    }
    expect(taken.add(text)).toBe(!model.has(text));
    model.add(text);
  }
  for (const text of texts) expect(taken.add(text)).toBe(!model.has(text));
});
