/**
 * The plots of a run.
 *
 * In: a report. Out: for each plot its name, its SVG, and its numbers as rows. Never here: the page around them.
 */
import { lineChart, type LineChartOptions } from "../charts/line-chart.ts";
import type { LoadReport } from "./ledger.ts";

export interface Picture {
  /** For a file's name or an anchor. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (number | string)[])[];
}

type Drawn = Omit<LineChartOptions, "standalone"> & { readonly name: string };

/** `standalone`: each SVG is a file of its own. */
export function picturesOf(report: LoadReport, standalone = false): readonly Picture[] {
  const drawn = [
    overTime(report),
    distribution(report),
    hits(report),
    depth(report),
    retries(report),
    ...(report.steps.length > 1 ? [ramp(report)] : []),
  ];
  return drawn.map((options) => ({
    name: options.name,
    title: options.title,
    svg: lineChart({ ...options, standalone }),
    columns: [options.xLabel, ...options.series.map(({ name }) => name)],
    rows: rowsOf(options),
  }));
}

function overTime({ stretches }: LoadReport): Drawn {
  const line = (name: "p50" | "p95" | "p99") => ({
    name,
    points: stretches.map(({ fromMs, latencyMs }) => [fromMs / 1_000, latencyMs?.[name] ?? NaN] as const),
  });
  return {
    name: "latency",
    title: "Latency over time",
    description:
      "Three lines: the median, the 95th and the 99th percentile of the time from the intended moment of asking to the stored answer, by intended moment.",
    xLabel: "seconds from the start",
    yLabel: "ms (logarithmic)",
    yScale: "log",
    series: [line("p50"), line("p95"), line("p99")],
  };
}

function distribution({ distribution: { all, hits: hit, generated } }: LoadReport): Drawn {
  // One in so many asks takes longer: 2 is the median, 100 the 99th percentile.
  const line = (name: string, pairs: typeof all) => ({
    name,
    points: pairs
      .filter(([share]) => share >= 0.5 && share < 1)
      .map(([share, ms]) => [1 / (1 - share), ms] as const),
  });
  const labels: Readonly<Record<string, string>> = {
    "2": "50 %",
    "10": "90 %",
    "100": "99 %",
    "1000": "99.9 %",
    "10000": "99.99 %",
  };
  const furthest = Math.max(2, ...all.filter(([share]) => share < 1).map(([share]) => 1 / (1 - share)));
  return {
    name: "percentiles",
    title: "Latency by percentile",
    description:
      "Three lines: what latency a share of all asks, of hits and of asks that waited for a generation did not exceed, from the median to the highest percentile that the number of asks can tell.",
    xLabel: "share of asks that were at most as slow",
    yLabel: "ms (logarithmic)",
    xScale: "log",
    yScale: "log",
    xTicks: [2, 10, 100, 1_000, 10_000].filter((tick) => tick <= furthest * 1.01),
    xFormat: (value) => labels[String(Math.round(value))] ?? `${(100 * (1 - 1 / value)).toFixed(1)} %`,
    series: [line("all", all), line("hits", hit), line("generated", generated)],
  };
}

function hits({ stretches }: LoadReport): Drawn {
  let [asked, hit] = [0, 0];
  const now = stretches.map(({ fromMs, answered, hits: count }) => {
    return [fromMs / 1_000, answered === 0 ? NaN : (100 * count) / answered] as const;
  });
  const sofar = stretches.map(({ fromMs, answered, hits: count }) => {
    asked += answered;
    hit += count;
    return [fromMs / 1_000, asked === 0 ? NaN : (100 * hit) / asked] as const;
  });
  return {
    name: "hits",
    title: "Hits",
    description:
      "Two lines: which share of answered asks was a hit, in each stretch of time and from the start.",
    xLabel: "seconds from the start",
    yLabel: "% of answered asks",
    yAtLeast: 100,
    series: [
      { name: "in this stretch", points: now },
      { name: "from the start", points: sofar },
    ],
  };
}

function depth({ samples }: LoadReport): Drawn {
  const told = samples.some((sample) => sample.depth !== undefined);
  return {
    name: "depth",
    title: "Queue depth",
    description:
      "Lines of what waits: questions that were acknowledged and have not ended, asks that are not acknowledged yet, and, where the door's metrics tell, records not yet committed and rows in the schedule.",
    xLabel: "seconds from the start",
    yLabel: "waiting",
    series: [
      { name: "questions not ended", points: samples.map(({ atMs, open }) => [atMs / 1_000, open] as const) },
      {
        name: "sends in flight",
        points: samples.map(({ atMs, sending }) => [atMs / 1_000, sending] as const),
      },
      ...(told
        ? [
            {
              name: "consumer lag",
              points: samples.map((sample) => [sample.atMs / 1_000, sample.depth?.lag ?? NaN] as const),
            },
            {
              name: "rows in the schedule",
              points: samples.map((sample) => [sample.atMs / 1_000, sample.depth?.scheduled ?? NaN] as const),
            },
          ]
        : []),
    ],
  };
}

function retries({ samples }: LoadReport): Drawn {
  const line = (name: string, field: "resent" | "waits" | "failed") => ({
    name,
    points: samples.map((sample) => [sample.atMs / 1_000, sample[field]] as const),
  });
  return {
    name: "retries",
    title: "Retries, from the start",
    description:
      "Three rising lines: sends that were repeated because the door said later or could not be reached, waits of questions for another try as they were seen, and questions that failed.",
    xLabel: "seconds from the start",
    yLabel: "count",
    series: [line("sent again", "resent"), line("waits for a retry", "waits"), line("failed", "failed")],
  };
}

function ramp({ steps, kneePerSecond }: LoadReport): Drawn {
  const line = (name: "p50" | "p95" | "p99") => ({
    name,
    points: steps.map(({ ratePerSecond, latencyMs }) => [ratePerSecond, latencyMs?.[name] ?? NaN] as const),
  });
  return {
    name: "knee",
    title: "Latency by rate",
    description:
      "Three lines: median, 95th and 99th percentile of latency at each step of the ramp, by asks per second; a mark stands at the last step that kept up.",
    xLabel: "asks per second",
    yLabel: "ms (logarithmic)",
    yScale: "log",
    marks: kneePerSecond === undefined ? [] : [{ x: kneePerSecond, label: `keeps up to ${kneePerSecond}/s` }],
    series: [line("p50"), line("p95"), line("p99")],
  };
}

function rowsOf({ series, xFormat = String }: Drawn): Picture["rows"] {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].toSorted((a, b) => a - b);
  const values = series.map(({ points }) => new Map(points));
  return xs.map((x) => [
    xFormat(x),
    ...values.map((known) => {
      const y = known.get(x);
      return y === undefined || !Number.isFinite(y) ? "" : Math.round(y * 10) / 10;
    }),
  ]);
}
