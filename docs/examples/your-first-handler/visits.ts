import { handler, topic } from "cauce";
import * as v from "valibot";

const visits = topic("visits", {
  schema: v.looseObject({ name: v.string(), guests: v.number() }),
  key: (visit) => visit.name,
});
const welcomes = topic("welcomes", { schema: v.object({ text: v.string() }) });

export default handler({
  name: "welcome",
  on: visits,
  out: { welcomes },
  handle({ value }, { out, log }) {
    const text = `Welcome, ${value.name}! A table for ${value.guests + 1}.`;
    log.info("a visit", { text });
    return out.welcomes({ text });
  },
});
