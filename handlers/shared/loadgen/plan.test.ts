import { describe, expect, test } from "bun:test";
import { arrivalsOf } from "./arrivals.ts";
import { planAsks, randomFrom } from "./plan.ts";
import { askedQuestions, idealHitShare } from "./popularity.ts";

const gapsOf = (times: readonly number[]) => times.slice(1).map((time, index) => time - (times[index] ?? 0));
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("arrivals", () => {
  test("of Poisson have the asked rate, gaps that spread as much as their mean, and the same times for one seed", () => {
    const times = arrivalsOf({ kind: "poisson", ratePerSecond: 100 }, 20_000, randomFrom(7));
    const gaps = gapsOf(times);
    expect(mean(gaps)).toBeWithin(9.7, 10.3);
    expect(Math.sqrt(mean(gaps.map((gap) => (gap - mean(gaps)) ** 2)))).toBeWithin(9.5, 10.5);
    // Memoryless: about 1/e of the gaps are longer than the mean; of even arrivals none would be.
    expect(gaps.filter((gap) => gap > 10).length / gaps.length).toBeWithin(0.35, 0.385);
    expect(arrivalsOf({ kind: "poisson", ratePerSecond: 100 }, 20_000, randomFrom(7))).toEqual(times);
  });

  test("of a ramp have each step's rate for its time, and no ask beyond its end", () => {
    const steps = [
      { ratePerSecond: 10, forMs: 2_000 },
      { ratePerSecond: 50, forMs: 1_000 },
    ];
    const times = arrivalsOf({ kind: "ramp", spacing: "even", steps }, 1_000, randomFrom(1));
    expect(times.filter((time) => time < 2_000)).toHaveLength(20);
    expect(times.filter((time) => time >= 2_000)).toHaveLength(50);
    expect(Math.max(...times)).toBeLessThan(3_000);
    const some = arrivalsOf({ kind: "ramp", spacing: "poisson", steps }, 15, randomFrom(1));
    expect(some).toHaveLength(15);
  });

  test("as recorded keep their times, and start again when they run out", () => {
    expect(arrivalsOf({ kind: "recorded", timesMs: [0, 5, 5, 90] }, 6, randomFrom(1))).toEqual([
      0, 5, 5, 90, 91, 96,
    ]);
  });
});

describe("popularity by Zipf", () => {
  test("asks the first question in proportion to 1 / r^s", () => {
    const asked = askedQuestions(
      { kind: "zipf", exponent: 1 },
      { questions: 1_000, count: 100_000, random: randomFrom(3) },
    );
    const times = (question: number) => asked.filter((one) => one === question).length;
    expect(times(0) / times(1)).toBeWithin(1.85, 2.15);
    expect(times(0) / times(9)).toBeWithin(9, 11);
    expect(Math.max(...asked)).toBeLessThan(1_000);
  });

  // What a cache that never forgets can do with 10,000 asks about 5,610 questions.
  test.each([
    [0.7, 0.635],
    [0.99, 0.761],
    [1.2, 0.858],
  ])(
    "of exponent %p leaves at best %p without a new generation, and a plan comes near it",
    (exponent, ideal) => {
      const of = { questions: 5_610, count: 10_000 };
      expect(idealHitShare({ ...of, exponent })).toBeWithin(ideal - 0.0005, ideal + 0.0005);
      const asks = planAsks({
        ...of,
        arrivals: { kind: "even", ratePerSecond: 1 },
        popularity: { kind: "zipf", exponent },
        seed: 1,
      });
      const distinct = new Set(asks.map(({ question }) => question)).size;
      expect(1 - distinct / asks.length).toBeWithin(ideal - 0.01, ideal + 0.01);
    },
  );

  test("asks the same questions however they arrive", () => {
    const popularity = { kind: "zipf", exponent: 1 } as const;
    const [even, poisson] = (["even", "poisson"] as const).map((kind) =>
      planAsks({ questions: 50, count: 100, arrivals: { kind, ratePerSecond: 9 }, popularity, seed: 2 }),
    );
    expect(even?.map(({ question }) => question)).toEqual(poisson?.map(({ question }) => question) ?? []);
  });
});
