/**
 * Faults as a provider would send them.
 *
 * In: a Reply. Out: the response of that fault, or undefined when an answer should follow. Never here: choosing a fault.
 */
import { share, type Reply } from "./script.ts";

export interface FaultOptions {
  /** Used when the directive names no delay. */
  readonly retryAfterMs: number;
  /** Decides between the kinds of garbage. */
  readonly draw: string;
}

export function faultResponse(reply: Reply, { retryAfterMs, draw }: FaultOptions): Response | undefined {
  const waitMs = reply.delayMs ?? retryAfterMs;
  // Retry-After knows whole seconds only; retry-after-ms, which some providers send too, is exact.
  const wait = { "retry-after": String(Math.ceil(waitMs / 1_000)), "retry-after-ms": String(waitMs) };
  switch (reply.kind) {
    case "ok":
    case "slow":
    case "bad_answer":
      return undefined;
    case "rate_limit":
      return failure(429, "rate_limit_exceeded", "rate limit reached (made by the offline model)", wait);
    case "timeout":
      // Only reached when the caller has gone or the longest hang is over.
      return failure(504, "timeout", "no answer (made by the offline model)");
    case "server_error":
      return failure(500, "server_error", "the server had an error (made by the offline model)");
    case "overloaded":
      return failure(503, "overloaded", "the model is overloaded (made by the offline model)", wait);
    case "refused":
      return failure(
        400,
        "content_policy_violation",
        "refused by content policy (made by the offline model)",
      );
    case "context_too_long":
      return failure(400, "context_length_exceeded", "the context is too long (made by the offline model)");
    case "authentication":
      return failure(401, "invalid_api_key", "the key is wrong (made by the offline model)");
    case "garbage":
      return garbage(draw);
  }
}

/** No JSON, half of one, the wrong shape, or an empty answer. */
function garbage(draw: string): Response {
  const bodies = [
    "<html><body>Bad gateway</body></html>",
    '{"id":"offline","object":"chat.completion","choices":[{"index":0,"mess',
    '{"object":"list","data":[42,null]}',
    '{"object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":""}}]}',
  ];
  const body = bodies[Math.floor(share(draw) * bodies.length)] ?? "";
  return new Response(body, { headers: { "content-type": "application/json" } });
}

function failure(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error: { message, type: code, code } }, { status, headers });
}
