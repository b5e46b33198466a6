/**
 * Four handlers in a row in one process: each reads a topic and writes the next.
 *
 * In: TOPICS, five names joined by commas; NAME, unique. Out: `ready`. Values are validated in and out, the order is by key.
 */
import { handler, topic } from "cauce";
import { Numbered, step } from "../json-hop/hop.ts";
import { serve } from "./serve.ts";

const topics = (process.env["TOPICS"] ?? "")
  .split(",")
  .map((name) => topic(name, { schema: Numbered, key: ({ id }) => id.slice(2), provision: "verify" }));

await serve(
  topics.slice(1).map((next, at) =>
    handler({
      name: `${process.env["NAME"]}-${at + 1}`,
      on: topics[at] ?? next,
      out: { next },
      order: { by: "key", whileRetrying: "skip" },
      handle: ({ value }, { out }) => out.next(step(value)),
    }),
  ),
);
