/**
 * Takes secrets out of what is about to be written: the last line of defence, at the sink.
 *
 * In: text, or the name of a field. Out: the text without secrets, or whether the field's value must not be shown.
 * Never here: deciding what to log. Every pattern is bounded, so that a megabyte of text costs a megabyte of work.
 */

export const REDACTED = "[redacted]";

/** Shorter secrets are not looked for in text: "a" or "1" would blank out half of every line. */
const SHORTEST_SECRET = 4;

/** Field names, lower-cased and without `-`, `_`, `.` and blanks. `tokens` (a count) is not `token`. */
const SECRET_FIELD =
  /passw(or)?d|passphrase|pwd$|secret|apikey|authorization|credential|privatekey|accesskey|cookie|token$|^auth$/;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // scheme://user:password@host, up to the last @ before a blank or a quote: raw passwords contain @ and / too.
  [/(:\/\/[^\s/:@]{0,256}:)[^\s"'`]{1,1024}@/g, `$1${REDACTED}@`],
  [/\b(Bearer|Basic)\s{1,3}[\w+/=.~-]{6,4096}/gi, `$1 ${REDACTED}`],
  // name=value and name: value as they stand in messages, query strings and connection strings.
  [
    /((?:passw(?:or)?d|passphrase|pwd|secret|api[_-]?key|authorization|(?:access|auth|refresh|rest)[_-]?token)["']?\s{0,3}[=:]\s{0,3}["']?)(?!\[redacted\])[^\s"'`,;&)}\]]{1,4096}/gi,
    `$1${REDACTED}`,
  ],
  [/(\btoken["']?\s{0,3}=\s{0,3}["']?)(?!\[redacted\])[^\s"'`,;&)}\]]{1,4096}/gi, `$1${REDACTED}`],
  [/\bsk-[\w-]{16,512}/g, REDACTED],
  // API keys of the door; what comes before the secret is public.
  [/\b(cauce_[0-9a-f]{12}_)[\w-]{20,64}/g, `$1${REDACTED}`],
];

/** Must the value of a field with this name stay hidden? */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name.toLowerCase().replaceAll(/[-_.\s]/g, ""));
}

/**
 * A function that takes the given values out of text, in plain, URL-encoded, JSON-escaped and base64 form, and with them
 * whatever looks like a password in a URL, an authorization header or a `password=…`.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < SHORTEST_SECRET) continue;
    const wellFormed = secret.toWellFormed();
    forms.add(secret);
    forms.add(encodeURIComponent(wellFormed));
    forms.add(new URLSearchParams([["", wellFormed]]).toString().slice(1));
    forms.add(JSON.stringify(secret).slice(1, -1));
    forms.add(Buffer.from(secret).toString("base64"));
  }
  // Longest first: a secret that contains another must go as a whole.
  const known = [...forms].toSorted((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const form of known) clean = clean.replaceAll(form, REDACTED);
    for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement);
    return clean;
  };
}
