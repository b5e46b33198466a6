/**
 * A small Prometheus registry: counters, gauges (also read at scrape time) and histograms.
 *
 * In: declarations, numbers. Out: the text of `/metrics`. Each metric keeps a bounded number of series: what comes beyond
 * is added up under the label value "other" instead of growing for ever.
 * Never here: names (vocabulary.ts), a server, pushing.
 */
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { expose, formatValue, type Family, type Labels, type Sample } from "./exposition.ts";
import { pick, SeriesMap } from "./series.ts";

export type LabelsOf<L extends string> = Readonly<Record<L, string>>;
export interface Declaration<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
}

export interface Counter<L extends string> {
  /** Adds to a series; default 1. Negative and non-finite amounts are ignored: a counter only grows. */
  add(labels: LabelsOf<L>, amount?: number): void;
  /** The same for one series that is asked for often. */
  series(labels: LabelsOf<L>): (amount?: number) => void;
}
export interface Reading<L extends string> {
  readonly labels: LabelsOf<L>;
  readonly value: number;
}
export interface Gauge<L extends string> {
  set(labels: LabelsOf<L>, value: number): void;
  /**
   * From now on the values are asked for at each scrape, beside those that were set. A reader that throws, rejects or
   * takes too long loses its samples for that scrape and is counted in `cauce_scrape_failures_total`.
   * The returned function takes the reader away again.
   */
  readFrom(read: () => Iterable<Reading<L>> | Promise<Iterable<Reading<L>>>): () => void;
}
export interface Histogram<L extends string> {
  observe(labels: LabelsOf<L>, value: number): void;
  /** The same for one series that is asked for often. */
  series(labels: LabelsOf<L>): (value: number) => void;
}

export interface Registry {
  counter<const L extends string>(declaration: Declaration<L>): Counter<L>;
  gauge<const L extends string>(declaration: Declaration<L>): Gauge<L>;
  /** @param declaration.buckets Upper bounds, rising; +Inf is added. */
  histogram<const L extends string>(
    declaration: Declaration<L> & { readonly buckets: readonly number[] },
  ): Histogram<L>;
  /** The text of `/metrics`, in the order of declaration. Never rejects. */
  text(): Promise<string>;
}

export interface RegistryOptions {
  readonly clock: Pick<Clock, "after">;
  /** Series a metric keeps. Default 1,000. */
  readonly mostSeries?: number;
  /** How long one scrape waits for readers. Default 2,000. */
  readonly readMs?: number;
}

const METRIC_NAME = /^[a-z_][a-z0-9_]*$/;

/** Makes an empty registry. */
export function createRegistry({ clock, mostSeries = 1_000, readMs = 2_000 }: RegistryOptions): Registry {
  const families = new Map<string, () => Family | Promise<Family>>();
  const failures = { count: 0 };

  const declare = (name: string, labels: readonly string[], collect: () => Family | Promise<Family>) => {
    for (const word of [name, ...labels]) {
      if (!METRIC_NAME.test(word))
        throw new CauceError("defect", `"${word}" is no name for a metric or label`);
    }
    if (families.has(name)) throw new CauceError("defect", `the metric ${name} is declared twice`);
    families.set(name, collect);
  };

  declare("cauce_scrape_failures_total", [], () => ({
    name: "cauce_scrape_failures_total",
    help: "Readings that could not be taken at a scrape.",
    type: "counter",
    samples: [{ labels: {}, value: failures.count }],
  }));

  return {
    counter({ name, help, labels }) {
      const series = new SeriesMap<{ value: number }>(labels, mostSeries, () => ({ value: 0 }));
      if (labels.length === 0) series.at({});
      declare(name, labels, () => ({
        name,
        help,
        type: "counter",
        samples: series.samples(({ value }) => value),
      }));
      const seriesOf = (of: Labels) => {
        const one = series.at(of);
        return (amount = 1) => {
          if (amount >= 0 && Number.isFinite(amount)) one.value += amount;
        };
      };
      return { add: (of, amount) => seriesOf(of)(amount), series: seriesOf };
    },

    gauge({ name, help, labels }) {
      const series = new SeriesMap<{ value: number }>(labels, mostSeries, () => ({ value: 0 }));
      type Read = () =>
        Iterable<Reading<(typeof labels)[number]>> | Promise<Iterable<Reading<(typeof labels)[number]>>>;
      const readers = new Set<Read>();
      declare(name, labels, async () => {
        const samples = series.samples(({ value }) => value);
        for (const reading of await Promise.all(
          [...readers].map((read) => withinDeadline(read, { clock, readMs, failures })),
        )) {
          for (const { labels: of, value } of reading) {
            if (samples.length < mostSeries) samples.push({ labels: pick(labels, of), value });
          }
        }
        return { name, help, type: "gauge", samples };
      });
      return {
        set: (of, value) => {
          series.at(of).value = value;
        },
        readFrom(read) {
          readers.add(read);
          return () => readers.delete(read);
        },
      };
    },

    histogram({ name, help, labels, buckets }) {
      const bounds = [...buckets, Infinity];
      const series = new SeriesMap<Distribution>(labels, mostSeries, () => ({
        counts: bounds.map(() => 0),
        sum: 0,
        count: 0,
      }));
      if (labels.length === 0) series.at({});
      declare(name, labels, () => ({
        name,
        help,
        type: "histogram",
        samples: histogramSamples(series, bounds),
      }));
      const seriesOf = (of: Labels) => {
        const one = series.at(of);
        return (value: number) => {
          if (!Number.isFinite(value)) return;
          let bucket = 0;
          while (value > (bounds[bucket] ?? Infinity)) bucket++;
          one.counts[bucket] = (one.counts[bucket] ?? 0) + 1;
          one.sum += value;
          one.count += 1;
        };
      };
      return { observe: (of, value) => seriesOf(of)(value), series: seriesOf };
    },

    async text() {
      const collected = await Promise.all([...families.values()].map(async (collect) => collect()));
      return collected.map(expose).join("");
    },
  };
}

interface Distribution {
  readonly counts: number[];
  sum: number;
  count: number;
}

function histogramSamples(series: SeriesMap<Distribution>, bounds: readonly number[]): Sample[] {
  const samples: Sample[] = [];
  for (const { labels, state } of series.entries()) {
    let below = 0;
    for (const [index, bound] of bounds.entries()) {
      below += state.counts[index] ?? 0;
      samples.push({ suffix: "_bucket", labels: { ...labels, le: formatValue(bound) }, value: below });
    }
    samples.push(
      { suffix: "_sum", labels, value: state.sum },
      { suffix: "_count", labels, value: state.count },
    );
  }
  return samples;
}

/** What a reader answers, or nothing when it fails or the deadline comes first. */
async function withinDeadline<T>(
  read: () => Iterable<T> | Promise<Iterable<T>>,
  { clock, readMs, failures }: { clock: Pick<Clock, "after">; readMs: number; failures: { count: number } },
): Promise<Iterable<T>> {
  const deadline = Promise.withResolvers<never>();
  const cancel = clock.after(readMs, () =>
    deadline.reject(new CauceError("unavailable", "a reading took too long")),
  );
  try {
    return await Promise.race([read(), deadline.promise]);
  } catch {
    failures.count++;
    return [];
  } finally {
    cancel();
  }
}
