/**
 * Lines over a common x axis.
 *
 * In: series of points. Out: SVG as text. Never here: more than 600 points a line; more are thinned, each keeps its highest.
 */
import { frame, PLOT, short, text, xAxis, yAxis } from "./frame.ts";
import { linearScale, logScale } from "./scale.ts";
import { DASHES } from "./style.ts";

export type Point = readonly [x: number, y: number];

export interface Series {
  readonly name: string;
  /** In order of x. A gap in what was measured is a gap in the line: y is NaN there. */
  readonly points: readonly Point[];
}

export interface LineChartOptions {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** At most five can be told apart. */
  readonly series: readonly Series[];
  /** Default "linear". */
  readonly yScale?: "linear" | "log";
  /** Default "linear". */
  readonly xScale?: "linear" | "log";
  /** Vertical lines with a word. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  readonly xFormat?: (value: number) => string;
  readonly yFormat?: (value: number) => string;
  /** The greatest y that the axis shows at least. */
  readonly yAtLeast?: number;
  /** x values that get a label, instead of round ones. */
  readonly xTicks?: readonly number[];
  readonly standalone?: boolean;
}

export function lineChart(options: LineChartOptions): string {
  const { series, marks = [], xFormat = short, yFormat = short, standalone = false } = options;
  const points = series.flatMap((one) => one.points).filter(([, y]) => Number.isFinite(y));
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const scaleOf = (kind: "linear" | "log" | undefined) => (kind === "log" ? logScale : linearScale);
  const x = scaleOf(options.xScale)({ ...ends(xs), from: PLOT.left, to: PLOT.right, ticks: 8 });
  const yEnds = ends(
    options.yScale === "log" ? ys.filter((value) => value > 0) : [0, options.yAtLeast ?? 0, ...ys],
  );
  const y = scaleOf(options.yScale)({ ...yEnds, from: PLOT.bottom, to: PLOT.top });
  const lines = series.map(({ points: all }, index) =>
    pathsOf(thinned(all))
      .map((run) => {
        const places = run.map(([px, py]) => `${x.at(px)},${y.at(py)}`);
        const dash = DASHES[index] ? ` stroke-dasharray="${DASHES[index]}"` : "";
        // One point alone is a dot: a line of no length is not drawn.
        if (run.length === 1)
          return `<circle class="f${index + 1}" r="3" cx="${places[0]?.split(",")[0]}" cy="${places[0]?.split(",")[1]}"/>`;
        return `<polyline class="line s${index + 1}"${dash} points="${places.join(" ")}"/>`;
      })
      .join(""),
  );
  const labelled = options.xTicks ?? x.ticks;
  const body = [
    yAxis(y, yFormat),
    xAxis(labelled.map((tick) => ({ at: x.at(tick), label: xFormat(tick) }))),
    ...lines,
    ...marks.map((mark) => markAt(x.at(mark.x), mark.label)),
  ].join("");
  const nothing = points.length === 0 ? text(360, 160, "nothing was measured", "middle", "soft") : "";
  const { title, description, xLabel, yLabel } = options;
  return frame(
    { title, description, xLabel, yLabel, names: series.map(({ name }) => name), legend: "line", standalone },
    body + nothing,
  );
}

function markAt(x: number, label: string): string {
  const rightHalf = x > (PLOT.left + PLOT.right) / 2;
  return (
    `<line class="mark" x1="${x}" x2="${x}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>` +
    text(rightHalf ? x - 5 : x + 5, PLOT.top + 12, label, rightHalf ? "end" : "start")
  );
}

function ends(values: readonly number[]): { least: number; greatest: number } {
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  return least <= greatest ? { least, greatest } : { least: 0, greatest: 1 };
}

/** Runs of points without a gap. */
function pathsOf(points: readonly Point[]): readonly (readonly Point[])[] {
  const runs: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point[1])) runs.at(-1)?.push(point);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

const MOST_POINTS = 600;

/** Of each group of neighbours the highest stays: a peak is never hidden. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= MOST_POINTS) return points;
  const size = Math.ceil(points.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, index) => {
    const group = points.slice(index * size, (index + 1) * size);
    const known = group.filter(([, y]) => Number.isFinite(y));
    return known.toSorted((left, right) => right[1] - left[1])[0] ?? group[0] ?? [0, NaN];
  });
}
