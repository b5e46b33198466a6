/**
 * The page docs/schedule.md, answered for real: a shop's schedule at night, and what each statement of the page says of it.
 *
 * In: an empty database. Out: the page with its answers; times of the clock are zeros in it. Run as a program, it writes the page.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { runSql } from "../../runtime/store/sql-command.ts";
import { tableLines } from "../../runtime/store/table.ts";
import { createDatabase } from "../services/postgres.ts";
import { bytes, letter, message } from "../store/messages.ts";

const PAGE = join(import.meta.dir, "../../docs/schedule.md");

/** The page as it is. */
export const readPage = (): string => readFileSync(PAGE, "utf8");

/** The page with the answers that its statements get, one after the other. */
export async function answeredPage(page: string, url: string): Promise<string> {
  const parts = page.split(/^```sql\n([^]*?)^```\n(?:\n```text\n[^]*?^```\n)?/m);
  const answered: string[] = [];
  for (const [at, part] of parts.entries()) {
    answered.push(
      at % 2 === 0
        ? part
        : `\`\`\`sql\n${part}\`\`\`\n\n\`\`\`text\n${(await answerOf(part, url)).join("\n")}\n\`\`\`\n`,
    );
  }
  return answered.join("");
}

/** A schedule with something for every question. */
export async function nightOfAShop(url: string): Promise<void> {
  const store = await createPostgresStore({ url, app: "shop" });
  const minute = 60_000;
  const of = (topic: string, key: string, value: unknown) => ({
    topic,
    key: bytes(key),
    value: bytes(JSON.stringify(value)),
    headers: [],
  });
  const full = [1, 2, 4, 5].map((number) =>
    message({
      messageId: `signup-${number}`,
      handler: "welcome",
      delayMs: 10 * minute,
      attempts: 0,
      deferrals: 3,
      reason: "MailboxFull",
      error: "452 no room",
      record: of("signups.welcome.retry", `customer-${number}`, { email: `c${number}@full.example` }),
    }),
  );
  const charges = [3, 6].map((number) =>
    message({
      messageId: `charge-${number}`,
      handler: "charge",
      delayMs: 2 * minute,
      attempts: 2,
      reason: "Timeout",
      error: "no answer within 10 s",
      record: of("orders.charge.retry", `customer-${number}`, { amount: 10 * number }),
    }),
  );
  const wrong = message({
    messageId: "signup-7",
    handler: "welcome",
    delayMs: 5 * minute,
    attempts: 4,
    reason: "TypeError",
    error: "ana@exmaple,com is no address",
    record: of("signups.welcome.retry", "customer-7", { email: "ana@exmaple,com" }),
  });
  const surveys = message({
    messageId: "survey-8",
    handler: "welcome",
    kind: "output",
    delayMs: 0,
    attempts: 0,
    reason: "after",
    record: of("mails", "customer-8", { to: "bo@example.com" }),
  });
  await store.schedule([...full, ...charges, wrong, surveys]);
  await store.bury(
    [1, 2, 3].map((number) =>
      letter({
        messageId: `dead-${number}`,
        handler: "welcome",
        cause: "TypeError",
        record: of("signups", `d${number}`, {}),
      }),
    ),
  );
  await store.bury([letter({ messageId: "dead-4", handler: "charge", cause: "CardExpired" })]);
  const booked = (number: number) =>
    message({
      messageId: `booking-${number}`,
      handler: "ledger",
      attempts: 1,
      delayMs: 3 * minute,
      reason: "Locked",
      record: of("bookings.ledger.retry", "account-9", { booking: number }),
    });
  await store.fences.raise([booked(1)]);
  for (const number of [2, 3])
    await store.fences.hold({ ...booked(number), reason: "behind its key", attempts: 0 });
  const sql = postgres(url, { max: 1 });
  await sql`SET cauce.writer = 'runtime'`;
  await sql`UPDATE cauce.scheduled SET due_at = now() - interval '42 s' WHERE message_id = 'survey-8'`;
  await sql`INSERT INTO cauce.schedule (app, topic, value_json, key_text) VALUES ('shop', 'parcels', '{"weight": "heavy"}', 'customer-2')`;
  await store.claim({
    topics: ["parcels"],
    limit: 1,
    publish: (due) =>
      Promise.resolve(due.map((each) => ({ due: each, problem: "weight: expected a number" }))),
  });
  await sql`TRUNCATE cauce.manual_change RESTART IDENTITY`;
  await sql.end();
  await store.close();
}

const WIDEST_CELL = 70;

async function answerOf(statement: string, url: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const code = await runSql({
    url,
    statement,
    write: (line) => lines.push(withoutTimes(line)),
    cellWidth: 1_000,
  });
  if (code !== 0 || !lines[1]?.includes("-")) return lines;
  // Aligned anew: cells got narrower with their times.
  const cells = lines.map((line) => line.split("|").map((cell) => cell.trim()));
  return [...tableLines(cells[0] ?? [], cells.slice(2, -1), WIDEST_CELL), lines.at(-1) ?? ""];
}

function withoutTimes(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d(?:\.\d+)?(?:\+\d\d(?::\d\d)?)?/g, "0000-00-00$100:00:00")
    .replaceAll(/(?<![\d-])\d\d:\d\d:\d\d(?:\.\d+)?/g, "00:00:00");
}

if (import.meta.main) {
  const url = await createDatabase("schedule_page");
  await nightOfAShop(url);
  writeFileSync(PAGE, await answeredPage(readPage(), url));
  process.exit(0);
}
