import { describe, expect, test } from "bun:test";
import { barChart } from "./bar-chart.ts";
import { PLOT } from "./frame.ts";
import { lineChart } from "./line-chart.ts";
import { linearScale, logScale } from "./scale.ts";

const words = { title: "A <title>", description: "What it shows", xLabel: "x", yLabel: "y" };

describe("scales", () => {
  test("begin and end at round numbers around the values", () => {
    const { ticks, at } = linearScale({ least: 3, greatest: 97, from: 0, to: 100 });
    expect(ticks).toEqual([0, 20, 40, 60, 80, 100]);
    expect([at(0), at(50), at(100), at(1_000)]).toEqual([0, 50, 100, 100]);
    expect(linearScale({ least: 5, greatest: 5, from: 0, to: 1 }).ticks).toEqual([5, 6]);
  });

  test("of powers of ten put equal factors equally far apart", () => {
    const { at, ticks } = logScale({ least: 2, greatest: 900, from: 0, to: 300 });
    expect([at(1), at(10), at(100), at(1_000)]).toEqual([0, 100, 200, 300]);
    expect(ticks).toEqual([1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]);
    expect(at(0)).toBe(0);
  });
});

describe("a line chart", () => {
  test("draws points where they lie, and a gap where nothing was measured", () => {
    const points = [
      [0, 0],
      [5, 10],
      [6, NaN],
      [7, 5],
      [10, 10],
    ] as const;
    const svg = lineChart({ ...words, series: [{ name: "one", points }] });
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).toContain(`points="${PLOT.left},${PLOT.bottom} `);
    expect(svg).toContain(`${PLOT.right},${PLOT.top}"`);
    expect(svg).toContain("A &lt;title&gt;");
    expect(svg).not.toContain("NaN");
  });

  test("never hides a peak when it thins a long line", () => {
    const points = Array.from(
      { length: 10_000 },
      (_, index) => [index, index === 4_321 ? 1_000 : 1] as const,
    );
    const svg = lineChart({ ...words, series: [{ name: "one", points }] });
    expect(svg.match(/,[\d.]+/g)?.length).toBeLessThan(700);
    expect(svg).toContain(`,${PLOT.top} `);
  });

  test("carries its own style only when it stands alone", () => {
    expect(lineChart({ ...words, series: [], standalone: true })).toContain("prefers-color-scheme:dark");
    expect(lineChart({ ...words, series: [] })).not.toContain("<style>");
  });
});

test("a bar's parts stand on each other and fill its height", () => {
  const svg = barChart({
    ...words,
    partNames: ["a", "b"],
    bars: [
      { name: "5", group: "g", parts: [25, 75] },
      { name: "6", group: "h", parts: [100, 0] },
    ],
  });
  const heights = [...svg.matchAll(/class="bar f\d" [^>]*y="([\d.]+)"[^>]*height="([\d.]+)"/g)].map(
    ([, y, height]) => [Number(y), Number(height)],
  );
  const whole = PLOT.bottom - PLOT.top;
  expect(heights.map(([, height]) => height)).toEqual([whole / 4, (whole * 3) / 4, whole, 0]);
  expect(heights[1]?.[0]).toBe(PLOT.top);
});
