/**
 * Latencies as they developed: over time, by share, by step of a ramp.
 *
 * In: what each answered ask took. Out: numbers for tables and plots. Never here: the network, drawing.
 */
import type { RampStep } from "./arrivals.ts";

/** An ask that was answered. Times in ms. */
export interface AnsweredAsk {
  /** When it should have been sent, from the start of the run. */
  readonly intendedMs: number;
  /** From then to the stored answer. */
  readonly latencyMs: number;
  /** Answered at once, without waiting for a generation. */
  readonly hit: boolean;
}

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** A stretch of the run. Of asks by their intended time. */
export interface Stretch {
  readonly fromMs: number;
  readonly forMs: number;
  readonly answered: number;
  readonly hits: number;
  /** Undefined where nothing was answered. */
  readonly latencyMs: Quantiles | undefined;
}

export interface StepReport extends Stretch {
  readonly ratePerSecond: number;
  /** Asks of this step; those beyond `answered` failed, were refused, or have not ended. */
  readonly asked: number;
  readonly keptUp: boolean;
}

const SHARES = [
  0, 0.1, 0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925,
  0.995, 0.9975, 0.999, 0.9995, 0.9999, 0.99999, 1,
] as const;
const MOST_STRETCHES = 240;
const SHORTEST_STRETCH_MS = 1_000;

export function quantilesOf(values: readonly number[]): Quantiles | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((left, right) => left - right);
  return { p50: at(sorted, 0.5), p95: at(sorted, 0.95), p99: at(sorted, 0.99) };
}

/** Pairs of a share, 0 to 1, and the latency in ms that this share of asks did not exceed. */
export function distributionOf(values: readonly number[]): readonly (readonly [share: number, ms: number])[] {
  if (values.length === 0) return [];
  const sorted = values.toSorted((left, right) => left - right);
  return SHARES.filter((share) => share === 1 || share <= 1 - 1 / sorted.length).map(
    (share) => [share, at(sorted, share)] as const,
  );
}

/** The run in equal stretches of at least a second, at most 240. */
export function stretchesOf(answered: readonly AnsweredAsk[]): readonly Stretch[] {
  const lastMs = answered.reduce((latest, { intendedMs }) => Math.max(latest, intendedMs), 0);
  const forMs = Math.max(SHORTEST_STRETCH_MS, Math.ceil(lastMs / MOST_STRETCHES / 1_000) * 1_000);
  const groups = Map.groupBy(answered, ({ intendedMs }) => Math.floor(intendedMs / forMs));
  return Array.from({ length: answered.length === 0 ? 0 : Math.floor(lastMs / forMs) + 1 }, (_, index) =>
    stretchOf(groups.get(index) ?? [], index * forMs, forMs),
  );
}

/**
 * What became of each step of a ramp. A step keeps up when at least 99 % of its asks were answered and neither its median
 * nor its p95 is more than three times the first step's and 100 ms more.
 */
export function stepsOf(
  steps: readonly RampStep[],
  intendedMs: readonly number[],
  answered: readonly AnsweredAsk[],
): readonly StepReport[] {
  let fromMs = 0;
  let first: Quantiles | undefined;
  return steps.map(({ ratePerSecond, forMs }) => {
    const within = (timeMs: number) => timeMs >= fromMs && timeMs < fromMs + forMs;
    const asked = intendedMs.filter(within).length;
    const stretch = stretchOf(
      answered.filter((ask) => within(ask.intendedMs)),
      fromMs,
      forMs,
    );
    first ??= stretch.latencyMs;
    fromMs += forMs;
    const keptUp = stretch.answered >= LEAST_ANSWERED * asked && isNear(stretch.latencyMs, first);
    return { ...stretch, ratePerSecond, asked, keptUp };
  });
}

const LEAST_ANSWERED = 0.99;
const TIMES_SLOWER = 3;
const SLOWER_BY_MS = 100;

function isNear(latency: Quantiles | undefined, first: Quantiles | undefined): boolean {
  if (latency === undefined || first === undefined) return false;
  const near = (name: "p50" | "p95") => latency[name] <= TIMES_SLOWER * first[name] + SLOWER_BY_MS;
  return near("p50") && near("p95");
}

/** The rate of the last step before the first that did not keep up; undefined when the first one did not. */
export function kneeOf(steps: readonly StepReport[]): number | undefined {
  const broken = steps.findIndex(({ keptUp }) => !keptUp);
  return steps[broken === -1 ? steps.length - 1 : broken - 1]?.ratePerSecond;
}

function stretchOf(asks: readonly AnsweredAsk[], fromMs: number, forMs: number): Stretch {
  return {
    fromMs,
    forMs,
    answered: asks.length,
    hits: asks.filter(({ hit }) => hit).length,
    latencyMs: quantilesOf(asks.map(({ latencyMs }) => latencyMs)),
  };
}

function at(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
}
