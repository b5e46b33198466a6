/**
 * From numbers to places on paper, and the round numbers that label an axis.
 *
 * In: the least and the greatest value, a length in pixels. Out: places and ticks. Never here: drawing.
 */

export interface Scale {
  /** Where a value lies, in pixels; what is beyond an end lies on it. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

export interface ScaleOptions {
  readonly least: number;
  readonly greatest: number;
  /** Places of the least and of the greatest value, in pixels. */
  readonly from: number;
  readonly to: number;
  /** About so many ticks. Default 5. */
  readonly ticks?: number;
}

/** Begins and ends at a tick. Values that are all the same lie at the start. */
export function linearScale({ least, greatest, from, to, ticks: wanted = 5 }: ScaleOptions): Scale {
  const step = roundStep((greatest - least) / wanted);
  const low = Math.floor(least / step) * step;
  const high = Math.max(Math.ceil(greatest / step) * step, low + step);
  const count = Math.round((high - low) / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => tidy(low + index * step));
  return { at: place(low, high, from, to, (value) => value), ticks };
}

/** Ticks are powers of ten, with 2 and 5 between where there are few. What is not above 0 counts as the least. */
export function logScale({ least, greatest, from, to }: ScaleOptions): Scale {
  const low = Math.floor(Math.log10(Math.max(least, 1e-9)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(greatest, 1e-9))));
  const between = high - low <= 3 ? [1, 2, 5] : [1];
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
    .flatMap((power) => between.map((times) => tidy(power * times)))
    .filter((tick) => tick <= 10 ** high);
  return { at: place(10 ** low, 10 ** high, from, to, (value) => Math.log10(Math.max(value, 1e-9))), ticks };
}

/** 1, 2 or 5 times a power of ten, the first that is not below `rough`. */
function roundStep(rough: number): number {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10;
  return times * power;
}

function place(low: number, high: number, from: number, to: number, bend: (value: number) => number) {
  const [start, end] = [bend(low), bend(high)];
  return (value: number) => {
    const share = (bend(value) - start) / (end - start);
    return Math.round((from + Math.min(1, Math.max(0, share)) * (to - from)) * 10) / 10;
  };
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
