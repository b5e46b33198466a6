/**
 * Rows as an aligned table for a terminal.
 *
 * In: names, cells as text. Out: lines; a cell is one line, cut to a width, without control characters: a value must not move
 * the cursor. Never here: where the cells come from.
 */

/** The names, a rule, and a line per row. `cellWidth` is in characters. */
export function tableLines(
  names: readonly string[],
  rows: readonly (readonly string[])[],
  cellWidth: number,
): readonly string[] {
  const cells = rows.map((row) => row.map((cell) => shorten(cell, cellWidth)));
  const widths = names.map((name, column) =>
    Math.max(Bun.stringWidth(name), ...cells.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  const aligned = (row: readonly string[]) =>
    row
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - Bun.stringWidth(cell))))
      .join(" | ")
      .trimEnd();
  return [aligned(names), widths.map((width) => "-".repeat(width)).join("-+-"), ...cells.map(aligned)];
}

/** Rows of a query, as the driver gives them. */
export function rowLines(
  rows: readonly Readonly<Record<string, unknown>>[] & {
    readonly columns: readonly { readonly name: string }[];
  },
  cellWidth: number,
): readonly string[] {
  const names = rows.columns.map(({ name }) => name);
  return tableLines(
    names,
    rows.map((row) => names.map((name) => textOf(row[name]))),
    cellWidth,
  );
}

function textOf(cell: unknown): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "boolean") return cell ? "yes" : "no";
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

function shorten(cell: string, width: number): string {
  const line = cell.replaceAll(/\p{Cc}/gu, (unit) => CONTROLS.get(unit) ?? "\uFFFD");
  return line.length <= width ? line : `${line.slice(0, width - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

const CONTROLS: ReadonlyMap<string, string> = new Map([
  ["\n", "\u21B5"],
  ["\r", ""],
  ["\t", " "],
]);
