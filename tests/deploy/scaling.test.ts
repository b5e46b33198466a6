/** The queries by which KEDA scales: on a real schedule, as the role that is meant for them. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { migrate } from "../../runtime/store/migrate.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { createDatabase } from "../services/postgres.ts";
import { sql } from "../system/stage.ts";
import { renderKustomization, type Document } from "./kustomize.ts";

setDefaultTimeout(120_000);

interface ScaledObject extends Document {
  readonly spec: {
    readonly triggers: readonly { readonly type: string; readonly metadata: Record<string, string> }[];
  };
}

const documents = renderKustomization(join(import.meta.dir, "../../deploy/kubernetes/overlays/production"));
const queries = documents
  .filter(({ kind }) => kind === "ScaledObject")
  .flatMap((one) =>
    (one as ScaledObject).spec.triggers
      .filter(({ type }) => type === "postgresql")
      .map(({ metadata }) => [one.metadata.name, metadata["query"] ?? ""] as const),
  );

test("count what is due within a minute, of the handler's own topics, and may be asked by a reader", async () => {
  const url = await createDatabase("scaling");
  await migrate({ url, schema: "cauce", log: silentLog });
  const role = `keda_${crypto.randomUUID().slice(0, 8)}`;
  await sql(url, `CREATE ROLE ${role} LOGIN PASSWORD 'reader'`);
  try {
    await sql(url, `SELECT cauce.grant_reader('${role}')`);
    const row = (topic: string, dueIn: string, app = "llm") =>
      sql(
        url,
        `INSERT INTO cauce.schedule (app, topic, value_json, due_in) VALUES ('${app}', '${topic}', '{}', '${dueIn}')`,
      );
    await row("llm.requests", "30 seconds");
    await row("llm.requests", "-5 minutes");
    await row("llm.requests", "2 minutes");
    await row("llm.requests", "30 seconds", "another");
    await row("llm.requests.llm.requests.retry", "10 seconds");
    await row("llm.validated", "1 second");
    const reader = new URL(url);
    reader.username = role;
    reader.password = "reader";
    const counts = await Promise.all(
      queries.map(async ([name, query]) => {
        const rows = await sql(reader.href, query);
        expect(rows).toHaveLength(1);
        return [name, Number(Object.values(rows[0] ?? {})[0])] as const;
      }),
    );
    expect(Object.fromEntries(counts)).toEqual({
      scheduler: 4,
      worker: 3,
      scoring: 0,
      retrying: 0,
      storing: 1,
      ending: 0,
    });
  } finally {
    await sql(url, `DROP OWNED BY ${role}`);
    await sql(url, `DROP ROLE ${role}`);
  }
});
