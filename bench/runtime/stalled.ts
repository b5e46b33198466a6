/**
 * A handler that stalls at its first message: everything behind it waits.
 *
 * In: FROM, NAME. Out: `ready`, then `holding` when the handler has begun. Runs until it is killed.
 */
import { handler, topic } from "cauce";
import { Numbered } from "../json-hop/hop.ts";
import { serve } from "./serve.ts";

let holding = false;

await serve([
  handler({
    name: process.env["NAME"] ?? "",
    on: topic(process.env["FROM"] ?? "", { schema: Numbered, provision: "verify" }),
    timeout: "1h",
    async handle() {
      if (!holding) process.stdout.write("holding\n");
      holding = true;
      await new Promise(() => undefined);
    },
  }),
]);
