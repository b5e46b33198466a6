/**
 * `GET /openapi`: a page for people that shows `/openapi/json` and lets them try it. It loads nothing from anywhere else, so it works
 * offline, and its policy lets a browser run nothing but what is written in it.
 *
 * In: nothing. Out: one answer, always the same. Never here: what the API can do (page/api-page.html reads the description).
 */
import { createHash } from "node:crypto";
import imported from "./page/api-page.html" with { type: "text" };

// Bun's types take every HTML file for an entry of its bundler.
const page = imported as unknown as string;

const POLICY = [
  "default-src 'none'",
  `script-src ${hashOf("script")}`,
  `style-src ${hashOf("style")}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export function apiPage(): Response {
  return new Response(page, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    },
  });
}

/** The page's one element of this name, as a policy names its text. */
function hashOf(element: "script" | "style"): string {
  const text = new RegExp(`<${element}>([^]*?)</${element}>`).exec(page)?.[1] ?? "";
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
