/**
 * The OpenAPI document: every route with its schemas, and the refusals that the door itself can answer.
 *
 * In: the door's routes. Out: a document of version 3.1. Made once, when first asked for: routes do not change.
 * Never here: a page that shows it. The usual ones load from a CDN and stay blank offline.
 */
import { toOpenAPISchema } from "@elysiajs/openapi";
import { toJsonSchema, type JsonSchema } from "@valibot/to-json-schema";
import type { AnyElysia } from "elysia";
import type { GenericSchema } from "valibot";
import { Problem } from "./problem.ts";

const PROBLEM_REF = { $ref: "#/components/schemas/Problem" };
const PROBLEM_TYPE = "application/problem+json";

/** What any route with a body may answer, in the door's own words. */
const BODY_REFUSALS: Readonly<Record<string, string>> = {
  400: "The body is no usable JSON, or holds text that cannot be carried.",
  408: "The body did not arrive in time.",
  413: "The body is too large.",
  415: "The body is not application/json in UTF-8.",
  422: "Fields are not valid; each is named.",
};
const ANY_REFUSALS: Readonly<Record<string, string>> = {
  500: "A failure that was logged.",
  503: "Something that this needs is away; see Retry-After.",
};

interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

/** The document of all routes that are declared on this instance. */
export function openApiDocument(app: AnyElysia): object {
  const described = toOpenAPISchema(documentable(app), undefined, undefined, { valibot: toJson });
  const paths: Record<string, Record<string, object>> = {};
  for (const [path, operations] of Object.entries(described.paths)) {
    const complete: Record<string, object> = {};
    for (const [method, operation] of Object.entries(operations ?? {})) {
      complete[method] = withRefusals(operation as Operation);
    }
    paths[path] = complete;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Cauce",
      description: "Routes of this process. Refusals are RFC 9457 problem details.",
      version: "1",
    },
    paths,
    components: {
      ...described.components,
      schemas: { ...described.components.schemas, Problem: toJson(Problem) },
    },
  };
}

/**
 * The plugin takes a parser that is a function for a body of unknown form and then leaves the schema out; the door's
 * parser reads JSON.
 */
function documentable(app: AnyElysia): AnyElysia {
  const routes = () => app.routes.map((route) => ({ ...route, hooks: { ...route.hooks, parse: undefined } }));
  return new Proxy(app, {
    get: (target, name): unknown => (name === "getGlobalRoutes" ? routes : Reflect.get(target, name)),
  });
}

function toJson(schema: GenericSchema): JsonSchema {
  const { $schema: _, ...json } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
  return json;
}

function withRefusals(operation: Operation): object {
  const refusals = operation.requestBody ? { ...BODY_REFUSALS, ...ANY_REFUSALS } : ANY_REFUSALS;
  const responses: Record<string, object> = {};
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    responses[status] = response.content?.[PROBLEM_TYPE]
      ? {
          ...response,
          content: {
            ...response.content,
            [PROBLEM_TYPE]: { ...response.content[PROBLEM_TYPE], schema: PROBLEM_REF },
          },
        }
      : response;
  }
  if (!Object.keys(responses).some((status) => status.startsWith("2")))
    responses["200"] = { description: "Done." };
  for (const [status, description] of Object.entries(refusals)) {
    responses[status] ??= { description, content: { [PROBLEM_TYPE]: { schema: PROBLEM_REF } } };
  }
  if (!operation.requestBody) return { ...operation, responses };
  // The door reads JSON only; the plugin would promise forms as well.
  const { "application/json": json = {} } = operation.requestBody.content;
  return {
    ...operation,
    requestBody: { ...operation.requestBody, content: { "application/json": json } },
    responses,
  };
}
