/**
 * How long an asker wants to wait for the answer: `Prefer: wait=20` (RFC 7240) or `?wait=20`, in whole seconds.
 *
 * In: a request, the longest wait that is allowed. Out: ms; 0 for not at all. The query string wins. Longer waits are cut; a
 * preference that cannot be read is ignored, as the RFC wants it; a query that cannot be read is for the caller to refuse.
 */
export type Patience =
  { readonly kind: "ms"; readonly ms: number } | { readonly kind: "unreadable"; readonly came: string };

const WHOLE_SECONDS = /^\d{1,9}$/;

export function patienceOf(request: Request, mostMs: number): Patience {
  const asked = request.url.includes("?") ? new URL(request.url).searchParams.get("wait") : null;
  if (asked !== null && !WHOLE_SECONDS.test(asked)) return { kind: "unreadable", came: asked };
  const seconds = asked === null ? preferred(request.headers.get("prefer")) : Number(asked);
  return { kind: "ms", ms: Math.min(seconds * 1_000, mostMs) };
}

/** The first `wait` among the preferences counts. */
function preferred(header: string | null): number {
  for (const preference of header?.split(",") ?? []) {
    const [name = "", value = ""] = (preference.split(";")[0] ?? "").split("=").map((part) => part.trim());
    if (name.toLowerCase() !== "wait") continue;
    const plain = value.replace(/^"(.*)"$/, "$1");
    return WHOLE_SECONDS.test(plain) ? Number(plain) : 0;
  }
  return 0;
}
