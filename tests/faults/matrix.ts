/**
 * The page docs/faults.md: what was done, what must hold, what the auditor said.
 */
import type { FaultCase } from "./case.ts";
import type { Ran } from "./pool.ts";
import type { RunVerdict } from "./run.ts";

const INTRODUCTION = `# Faults

Written by \`bun run faults\`, which runs every case; \`bun run test\` runs those marked "quick".

Workers are processes of their own on a real Apache Kafka and PostgreSQL (cases 4, 6, 7, 9–13, 16 and 29, and the moving
coordinator of 14: one process on librdkafka's mock cluster, whose answers can be made to fail). Numbered messages go through two
hops; some are retried, some delayed, some die. One auditor (\`runtime/testing/auditor.ts\`) reads every topic from its beginning and
recomputes what must be there: nothing acknowledged is lost, the ids are right, keys are in order, no offset is missing, nothing
fires early, lag and schedule are empty at the end. A repeat is allowed only under the same id, and after a \`kill -9\` only where no
acknowledged commit, bitmap included, covered its input. In runs named "exactly once" a message that went straight through may not
be there twice at all, for a reader of committed records. A run with too few successes fails.

\`repeats\` counts records beyond the first of their message on all watched topics; they are allowed ones where the verdict is clean.

`;

export function matrix(rows: readonly (readonly [FaultCase, Ran])[]): string {
  const lines = rows.map(([{ number, title, expected, quick }, { verdict }]) =>
    [
      "",
      number,
      title,
      expected,
      verdict.successes,
      verdict.repeats,
      verdictWords(verdict),
      quick ? "quick" : "long",
      "",
    ].join(" | "),
  );
  const head = ["", "case", "fault", "expected", "messages", "repeats", "verdict", "runs", ""].join(" | ");
  const rule = `|${" --- |".repeat(7)}`;
  return `${INTRODUCTION}${[head.trim(), rule, ...lines.map((line) => line.trim())].join("\n")}\n`;
}

function verdictWords({ passed, complaints, skipped }: RunVerdict): string {
  if (skipped !== undefined) return `not run: ${skipped}`;
  return passed ? "clean" : `**${complaints.slice(0, LONGEST)}**`;
}

const LONGEST = 200;
