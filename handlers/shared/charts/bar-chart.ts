/**
 * Stacked bars, one for each name on the x axis, perhaps in groups.
 *
 * In: bars with the parts of each. Out: SVG as text. Never here: negative parts.
 */
import { frame, PLOT, short, text, xAxis, yAxis, escape } from "./frame.ts";
import { linearScale } from "./scale.ts";

export interface Bar {
  readonly name: string;
  /** Bars of one group stand together, with the group's name below. */
  readonly group?: string;
  /** One for each part's name, from the bottom up; not below 0. */
  readonly parts: readonly number[];
}

export interface BarChartOptions {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly partNames: readonly string[];
  readonly bars: readonly Bar[];
  readonly yFormat?: (value: number) => string;
  readonly standalone?: boolean;
}

/** Bars take this share of their place. */
const BAR_SHARE = 0.72;
/** Parts lower than this have no number in them, in pixels. */
const LEAST_HEIGHT = 15;
const GROUP_GAP = 0.6;

export function barChart(options: BarChartOptions): string {
  const { bars, partNames, yFormat = short, standalone = false } = options;
  // Parts that were rounded one by one may add up to a little more than their whole.
  const sums = bars.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0));
  const greatest = Number(Math.max(0, ...sums).toPrecision(2));
  const y = linearScale({ least: 0, greatest, from: PLOT.bottom, to: PLOT.top });
  const places = placesOf(bars);
  const body = bars
    .map(({ parts, name }, index) => {
      const place = places[index] ?? { middle: 0, width: 0 };
      let base = 0;
      return parts
        .map((part, at) => {
          const [bottom, top] = [y.at(base), y.at(base + part)];
          base += part;
          const tall = bottom - top >= LEAST_HEIGHT;
          const left = place.middle - place.width / 2;
          return (
            `<rect class="bar f${at + 1}" x="${tidy(left)}" y="${top}" width="${tidy(place.width)}" height="${tidy(bottom - top)}">` +
            `<title>${escape(`${name}, ${partNames[at] ?? ""}: ${yFormat(part)}`)}</title></rect>` +
            (tall
              ? `<text class="inside" text-anchor="middle" x="${tidy(place.middle)}" y="${tidy((bottom + top) / 2 + 4)}">${escape(yFormat(part))}</text>`
              : "")
          );
        })
        .join("");
    })
    .join("");
  const labels = bars.map(({ name }, index) => ({ at: tidy(places[index]?.middle ?? 0), label: name }));
  const { title, description, xLabel, yLabel } = options;
  return frame(
    { title, description, xLabel, yLabel, names: partNames, legend: "bar", standalone },
    yAxis(y, yFormat) + xAxis(labels) + body + groupNames(bars, places),
  );
}

interface Place {
  readonly middle: number;
  readonly width: number;
}

function placesOf(bars: readonly Bar[]): readonly Place[] {
  let gaps = 0;
  const units = bars.map(({ group }, index) => {
    if (index > 0 && group !== bars[index - 1]?.group) gaps += GROUP_GAP;
    return index + 0.5 + gaps;
  });
  const unit = (PLOT.right - PLOT.left) / Math.max(1, bars.length + gaps);
  return units.map((at) => ({ middle: PLOT.left + at * unit, width: unit * BAR_SHARE }));
}

function groupNames(bars: readonly Bar[], places: readonly Place[]): string {
  const groups = Map.groupBy(
    bars.map(({ group }, index) => ({ group, middle: places[index]?.middle ?? 0 })),
    ({ group }) => group,
  );
  return [...groups]
    .filter(([group]) => group !== undefined)
    .map(([group = "", list]) => {
      const middle = list.reduce((sum, one) => sum + one.middle, 0) / list.length;
      return text(tidy(middle), PLOT.bottom + 34, group, "middle");
    })
    .join("");
}

function tidy(value: number): number {
  return Math.round(value * 10) / 10;
}
