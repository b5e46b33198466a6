import { afterAll, beforeAll } from "bun:test";
import postgres from "postgres";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { storeContract, type StoreUnderTest } from "./contract.ts";
import { fenceContract } from "./fence-contract.ts";

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("store_contract");
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterAll(() => sql.end());
let apps = 0;

const make = async (): Promise<StoreUnderTest> => {
  const app = `app${++apps}`;
  return {
    store: await createPostgresStore({ url, app }),
    // The database's own clock decides, and no test can hold it.
    pass: (ms) => Bun.sleep(ms),
    async cancel(messageId) {
      await sql`DELETE FROM cauce.scheduled WHERE app = ${app} AND message_id = ${messageId}`;
    },
  };
};

storeContract("the store in Postgres", make);
fenceContract("the store in Postgres", make);
