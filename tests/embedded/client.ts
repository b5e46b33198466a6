/**
 * A process that uses embedded services, for tests that need several: `bun client.ts <options as JSON>`.
 *
 * Out: one line of JSON per event. It ends in order when its stdin ends.
 */
import { attachBroker } from "../../runtime/embedded/broker.ts";
import { attachPostgres } from "../../runtime/embedded/postgres.ts";

export interface ClientOptions {
  readonly stateDir: string;
  readonly graceMs: number;
  readonly postgres: boolean;
  /** Path of librdkafka, or null for no broker. */
  readonly library: string | null;
}

export interface ClientReady {
  readonly postgres: { readonly url: string; readonly how: string } | null;
  readonly broker: { readonly bootstrap: string; readonly generation: string; readonly how: string } | null;
}

const report = (line: string) => void process.stderr.write(`${line}\n`);

if (import.meta.main) {
  const options = JSON.parse(Bun.argv[2] ?? "") as ClientOptions;
  const { stateDir, graceMs, library } = options;
  const postgres = options.postgres ? await attachPostgres({ stateDir, graceMs, report }) : null;
  const broker =
    library === null ? null : await attachBroker({ stateDir, graceMs, report, libraryPath: library });
  const ready: ClientReady = {
    postgres: postgres === null ? null : { url: postgres.url, how: postgres.how },
    broker:
      broker === null
        ? null
        : { bootstrap: broker.bootstrap, generation: broker.generation, how: broker.how },
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  await Bun.stdin.text();
  await broker?.close();
  await postgres?.close();
}
