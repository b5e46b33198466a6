/**
 * Writes the measured part of docs/scale.md and its pictures.
 *
 * In: slopes. Out: the page, changed between its marks alone, and three SVG files. Never here: measuring, what the page concludes.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lineChart, type LineChartOptions } from "../../handlers/shared/charts/line-chart.ts";
import { carriedBy } from "./growth.ts";
import type { Slopes } from "./slopes.ts";

const docs = join(import.meta.dir, "..", "..", "docs");
export const PAGE = join(docs, "scale.md");
const BEGIN = "<!-- bench/scale/command.ts writes from here -->";
const END = "<!-- to here -->";

export function writePage(slopes: Slopes): void {
  writeFileSync(PAGE, withSlopes(readFileSync(PAGE, "utf8"), slopes));
  for (const [name, chart] of Object.entries(charts(slopes)))
    writeFileSync(
      join(docs, "pictures", `scale-${name}.svg`),
      `${lineChart({ ...chart, standalone: true })}\n`,
    );
}

/** @throws Error where the page has no marks. */
export function withSlopes(page: string, slopes: Slopes): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${measured(slopes)}\n${page.slice(end)}`;
}

function measured({ question, processes, partitions, rows, machine, versions, day }: Slopes): string {
  const whole = (value: number) => Math.round(value).toLocaleString("en");
  return [
    "### One question\n",
    table(
      ["CPU of the process", "transactions in Postgres", "bytes that stay in Postgres", "records in Kafka"],
      [
        [
          `${(question.cpuUs / 1_000).toFixed(2)} ms`,
          question.transactions.toFixed(1),
          whole(question.databaseBytes),
          question.records.toFixed(1),
        ],
      ],
    ),
    "### What that carries\n",
    table(
      [
        "",
        "processes",
        "questions/s",
        "records/s",
        "transactions/s",
        "connections",
        "rows that wait",
        "Postgres grows by",
      ],
      [0, 1, 10, 100].map((machines) => {
        const carried = carriedBy(machines, question);
        return [
          machines === 0 ? "one process" : `${machines} machine${machines === 1 ? "" : "s"}`,
          whole(carried.processes),
          whole(carried.perSecond),
          whole(carried.recordsPerSecond),
          whole(carried.transactionsPerSecond),
          whole(carried.connections),
          whole(carried.waitingRows),
          `${(carried.postgresBytesPerDay / 1e9).toFixed(1)} GB a day`,
        ];
      }),
    ),
    "### More processes\n",
    "![messages a second by processes](pictures/scale-processes.svg)\n",
    table(
      ["processes", "messages/s", "what waiting alone allows", "CPU µs a message", "MiB a process"],
      processes.map((each) => [
        whole(each.processes),
        whole(each.perSecond),
        whole(each.idealPerSecond),
        whole(each.cpuUsPerMessage),
        whole(each.rssMbPerProcess),
      ]),
    ),
    "### More partitions\n",
    "![CPU a message by partitions](pictures/scale-partitions.svg)\n",
    table(
      ["partitions", "messages/s", "CPU µs a message"],
      partitions.map((each) => [
        whole(each.partitions),
        whole(each.perSecond),
        each.cpuUsPerMessage.toFixed(1),
      ]),
    ),
    "### More rows that wait\n",
    "![rows drained a second by rows that wait](pictures/scale-rows.svg)\n",
    table(
      ["rows that wait", "rows drained/s", "bytes a row, keys and indexes included"],
      rows.map((each) => [whole(each.rows), whole(each.drainedPerSecond), whole(each.bytesPerRow)]),
    ),
    `Measured on ${machine}; ${versions}; ${day}.\n`,
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "--:"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function charts({ processes, partitions, rows }: Slopes): Readonly<Record<string, LineChartOptions>> {
  return {
    processes: {
      title: "Messages a second by processes",
      description:
        "A handler that waits 50 ms, 64 at a time a process: what was carried, and what waiting alone would allow.",
      xLabel: "processes",
      yLabel: "messages/s",
      xTicks: processes.map((each) => each.processes),
      series: [
        { name: "carried", points: processes.map((each) => [each.processes, each.perSecond]) },
        { name: "ideal", points: processes.map((each) => [each.processes, each.idealPerSecond]) },
      ],
    },
    partitions: {
      title: "CPU of a message by partitions",
      description:
        "One process runs the JSON hop on a topic with more and more partitions: CPU time of one message.",
      xLabel: "partitions",
      yLabel: "µs",
      xScale: "log",
      xTicks: partitions.map((each) => each.partitions),
      series: [
        { name: "CPU a message", points: partitions.map((each) => [each.partitions, each.cpuUsPerMessage]) },
      ],
    },
    rows: {
      title: "Rows drained a second by rows that wait",
      description:
        "One scheduler drains rows that are due at one instant, while more and more other rows wait for their time.",
      xLabel: "rows that wait",
      yLabel: "rows/s",
      xScale: "log",
      xTicks: rows.map((each) => each.rows),
      series: [{ name: "drained", points: rows.map((each) => [each.rows, each.drainedPerSecond]) }],
    },
  };
}
