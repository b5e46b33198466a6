/**
 * A member that says when each message came to its handler.
 *
 * In: FROM, NAME. Out: `ready`, then per message a line: its key and the time in ms. Leaves in order on SIGTERM.
 */
import { handler, topic } from "cauce";
import { Numbered } from "../json-hop/hop.ts";
import { serve } from "./serve.ts";

await serve([
  handler({
    name: process.env["NAME"] ?? "",
    on: topic(process.env["FROM"] ?? "", { schema: Numbered, provision: "verify" }),
    handle({ key, value }) {
      process.stdout.write(`${key} ${value.n} ${performance.timeOrigin + performance.now()}\n`);
    },
  }),
]);
