/**
 * `bun run keys make NAME [--per-minute N]`, `bun run keys list`, `bun run keys revoke ID`: who may ask.
 *
 * In: words. Out: a new key, told once; a table; or that a key is revoked, which every process knows some seconds later.
 */
import { parseArgs } from "node:util";
import { commandDatabase, type CommandOptions } from "cauce/run";
import { makeKey } from "../door/api-key.ts";
import { openDatabase } from "../storage/database.ts";
import { migrateTables } from "../storage/migrate.ts";
import { createRepository, type Repository } from "../storage/repository.ts";

const USAGE = `usage: bun run keys make NAME [--per-minute N]   a new key, told once
       bun run keys list                         who has one
       bun run keys revoke ID                    it stops working, everywhere, within seconds
`;
const LONGEST_NAME = 100;
const MOST_PER_MINUTE = 1_000_000;

export default async function keys(options: CommandOptions): Promise<number> {
  const parsed = readWords(options.arguments);
  if (parsed === null) {
    options.console.fail(USAGE);
    return 2;
  }
  const address = await commandDatabase(options);
  try {
    await migrateTables(address.url);
    const database = openDatabase({ url: address.url, connections: 1 });
    try {
      return await parsed(createRepository(database), options.console);
    } finally {
      await database.close();
    }
  } finally {
    await address.close();
  }
}

type Work = (repository: Repository, console: CommandOptions["console"]) => Promise<number>;

function readWords(words: readonly string[]): Work | null {
  let read;
  try {
    read = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { "per-minute": { type: "string" } },
    });
  } catch {
    return null;
  }
  const [verb, what, ...more] = read.positionals;
  const { "per-minute": rate } = read.values;
  if (more.length > 0 || (rate !== undefined && verb !== "make")) return null;
  if (verb === "list" && what === undefined) return list;
  if (verb === "revoke" && what !== undefined)
    return (repository, console) => revoke(repository, console, what);
  if (verb !== "make" || what === undefined || what.length > LONGEST_NAME) return null;
  const perMinute = rate === undefined ? null : Number(rate);
  if (perMinute !== null && !(Number.isInteger(perMinute) && perMinute >= 1 && perMinute <= MOST_PER_MINUTE))
    return null;
  return (repository, console) => make({ repository, console, name: what, perMinute });
}

async function make(work: {
  readonly repository: Repository;
  readonly console: CommandOptions["console"];
  readonly name: string;
  readonly perMinute: number | null;
}): Promise<number> {
  const { repository, console, name, perMinute } = work;
  const { id, key, hash } = makeKey();
  await repository.addApiKey({ id, name, hash, perMinute });
  console.write(`${key}\n`);
  // Beside the key, so that `> file` keeps the key alone.
  process.stderr.write(`the key of ${name}, id ${id}: it is kept nowhere, so note it now\n`);
  return 0;
}

async function list(repository: Repository, console: CommandOptions["console"]): Promise<number> {
  for (const { id, name, perMinute, madeAt, revoked } of await repository.apiKeys()) {
    const rate = perMinute === null ? "any rate" : `${perMinute} a minute`;
    console.write(
      `${id}  ${revoked ? "revoked" : "valid  "}  ${madeAt.toISOString().slice(0, 10)}  ${rate}  ${name}\n`,
    );
  }
  return 0;
}

async function revoke(
  repository: Repository,
  console: CommandOptions["console"],
  id: string,
): Promise<number> {
  const done = await repository.revokeApiKey(id);
  if (done) console.report(`${id} is revoked`);
  else console.fail(`there is no valid key ${id}`);
  return done ? 0 : 1;
}
