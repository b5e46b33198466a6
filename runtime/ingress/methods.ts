/**
 * Which methods does a path know? Tells 404 from 405.
 *
 * In: the declared routes and a path. Out: method names. Never here: routing itself, which is Elysia's.
 */

export interface DeclaredRoute {
  readonly method: string;
  readonly path: string;
}

/** A function from a path to its methods, sorted; empty for a path that nobody declared. */
export function methodsOf(routes: readonly DeclaredRoute[]): (path: string) => readonly string[] {
  const patterns = routes.map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return (path) => {
    const methods = new Set<string>();
    for (const { method, pattern } of patterns) if (pattern.test(path)) methods.add(method);
    if (methods.has("GET")) methods.add("HEAD");
    return [...methods].toSorted();
  };
}

/** ":name" is one segment, ":name?" may be missing, "*" is the rest; a slash at the end does not matter. */
function patternOf(path: string): RegExp {
  const segments = path.split("/").filter((segment) => segment !== "");
  const parts = segments.map((segment) => {
    if (segment === "*") return "/.*";
    if (segment.startsWith(":")) return segment.endsWith("?") ? "(?:/[^/]+)?" : "/[^/]+";
    return `/${RegExp.escape(segment)}`;
  });
  return new RegExp(`^${parts.join("")}/?$`);
}
