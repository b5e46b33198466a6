import { afterAll, beforeAll } from "bun:test";
import postgres from "postgres";
import { createPostgresStore } from "../../runtime/store/postgres.ts";
import { createDatabase } from "../services/postgres.ts";
import { byHandContract, type HandsUnderTest } from "./by-hand-contract.ts";
import { storeContract } from "./contract.ts";
import { fenceContract } from "./fence-contract.ts";
import { cancelByHand, editByHand, writeByHand } from "./hands.ts";
import { turnContract } from "./turn-contract.ts";

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await createDatabase("store_contract");
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterAll(() => sql.end());
let apps = 0;

const make = async (): Promise<HandsUnderTest> => {
  const app = `app${++apps}`;
  return {
    store: await createPostgresStore({ url, app }),
    // The database's own clock decides, and no test can hold it.
    pass: (ms) => Bun.sleep(ms),
    cancel: (messageId) => cancelByHand(sql, app, messageId),
    write: (message) => writeByHand(sql, app, message),
    edit: (messageId, value) => editByHand(sql, app, messageId, value),
    async parked() {
      const rows = await sql<{ message_id: string; problem: string }[]>`
        SELECT message_id, problem FROM cauce.parked WHERE app = ${app} ORDER BY id`;
      return rows.map(({ message_id, problem }) => [message_id, problem]);
    },
  };
};

storeContract("the store in Postgres", make);
fenceContract("the store in Postgres", make);
byHandContract("the store in Postgres", make);
turnContract("the store in Postgres", make);
