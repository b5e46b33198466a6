/**
 * What every chart has: paper, title, axes with labels, a legend, and words for those who cannot see it.
 *
 * In: texts and scales. Out: SVG as text; everything that came as text is escaped. Never here: data.
 */
import type { Scale } from "./scale.ts";
import { DASHES, chartStyle } from "./style.ts";

export const WIDTH = 720;
export const HEIGHT = 310;
/** Where the data is drawn, in pixels. */
export const PLOT = { left: 64, right: WIDTH - 28, top: 68, bottom: HEIGHT - 44 } as const;

export interface FrameOptions {
  readonly title: string;
  /** What the chart shows, in a sentence or two, for those who hear it. */
  readonly description: string;
  readonly yLabel: string;
  readonly xLabel: string;
  readonly names: readonly string[];
  /** "line" draws each series' dash into the legend, "bar" its colour. */
  readonly legend: "line" | "bar";
  /** A picture of its own carries its style; one in a page uses the page's. Default false. */
  readonly standalone?: boolean;
}

export function frame(options: FrameOptions, body: string): string {
  const { title, description, xLabel, yLabel, standalone = false } = options;
  const id = `chart-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  const size = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" ${size} role="img" aria-labelledby="${id} ${id}d">` +
    `<title id="${id}">${escape(title)}</title><desc id="${id}d">${escape(description)}</desc>` +
    (standalone ? `<style>${chartStyle("svg")}</style>` : "") +
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>` +
    `<text class="title" x="${PLOT.left}" y="20">${escape(title)}</text>` +
    legend(options) +
    body +
    text(PLOT.right, HEIGHT - 8, xLabel, "end", "soft") +
    `<text class="soft" x="14" y="${PLOT.top - 14}">${escape(yLabel)}</text></svg>`
  );
}

function legend({ names, legend: kind }: FrameOptions): string {
  let x: number = PLOT.left;
  return names
    .map((name, index) => {
      const sample =
        kind === "line"
          ? `<line class="s${index + 1}" stroke-width="2" stroke-dasharray="${DASHES[index] ?? ""}" x1="${x}" x2="${x + 22}" y1="34" y2="34"/>`
          : `<rect class="f${index + 1}" x="${x + 6}" y="28" width="12" height="12"/>`;
      const label = text(x + 27, 38, name);
      x += 27 + name.length * LETTER_WIDTH + 16;
      return sample + label;
    })
    .join("");
}

/** Of system-ui at 12 px, a little more than the mean. */
const LETTER_WIDTH = 6.3;

export function yAxis({ at, ticks }: Scale, format: (value: number) => string): string {
  return ticks
    .map((tick) => {
      const y = at(tick);
      return (
        `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${y}" y2="${y}"/>` +
        text(PLOT.left - 6, y + 4, format(tick), "end", "soft")
      );
    })
    .join("");
}

export function xAxis(labels: readonly { readonly at: number; readonly label: string }[]): string {
  return (
    `<line class="axis" x1="${PLOT.left}" x2="${PLOT.right}" y1="${PLOT.bottom}" y2="${PLOT.bottom}"/>` +
    labels.map(({ at, label }) => text(at, PLOT.bottom + 17, label, "middle", "soft")).join("")
  );
}

export function text(x: number, y: number, words: string, anchor = "start", kind = ""): string {
  const style = kind === "" ? "" : ` class="${kind}"`;
  const side = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text${style}${side} x="${x}" y="${y}">${escape(words)}</text>`;
}

export function escape(words: string): string {
  return words
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** 1234567 → "1.2M", 1500 → "1.5k", 0.25 → "0.25". */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${trimmed(value / 1e6)}M`;
  if (size >= 1e4) return `${trimmed(value / 1e3)}k`;
  return trimmed(value);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}
