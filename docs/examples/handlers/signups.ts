import { handler, topic } from "cauce";
import * as v from "valibot";

class MailboxFull extends Error {}

const signups = topic("signups", {
  schema: v.looseObject({ id: v.string(), email: v.pipe(v.string(), v.email()) }),
  key: (signup) => signup.id,
});
const mails = topic("mails", { schema: v.object({ to: v.string(), text: v.string() }) });

export default handler({
  name: "welcome",
  on: signups,
  out: { mails },
  order: { by: "key", whileRetrying: "skip" },
  retry: [[MailboxFull, { delay: "exponential", base: "1m", cap: "6h", burns: false }]],
  handle({ value }, { out }) {
    if (value.email.endsWith("@full.example")) throw new MailboxFull("no room");
    return [
      out.mails({ to: value.email, text: "Welcome!" }),
      out.mails({ to: value.email, text: "How was your first week?" }, { after: "7d" }),
    ];
  },
});
