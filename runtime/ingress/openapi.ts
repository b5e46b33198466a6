/**
 * The OpenAPI document: every route with its schemas, and the refusals that the door itself can answer.
 *
 * In: the door's routes. Out: a document of version 3.1. Made once, when first asked for: routes do not change.
 * Never here: the page that shows it (api-page.ts).
 */
import { toOpenAPISchema } from "@elysiajs/openapi";
import { toJsonSchema, type JsonSchema } from "@valibot/to-json-schema";
import type { AnyElysia } from "elysia";
import type { GenericSchema } from "valibot";
import { Problem, type FieldError } from "./problem.ts";

const PROBLEM_REF = { $ref: "#/components/schemas/Problem" };
const PROBLEM_TYPE = "application/problem+json";

interface Refused {
  readonly description: string;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
}

/** What any route with a body may answer, in the door's own words. */
const BODY_REFUSALS: Readonly<Record<string, Refused>> = {
  400: {
    description: "The address or the body cannot be read, or the body holds text that cannot be carried.",
    title: "The body is not usable JSON",
    detail: "it is not valid UTF-8",
  },
  408: {
    description: "The body did not arrive in time.",
    title: "Request timeout",
    detail: "the body did not arrive within 10000 ms",
  },
  413: {
    description: "The body is too large.",
    title: "Body too large",
    detail: "a body may have at most 900000 bytes",
  },
  415: {
    description: "The body is not application/json in UTF-8.",
    title: "Unsupported media type",
    detail: "send JSON in UTF-8 with content-type: application/json",
  },
  422: {
    description: "Fields are not valid; each is named.",
    title: "The request is not valid",
    detail: "see the fields of its body",
    errors: [{ field: "title", message: "expected text" }],
  },
};
const ANY_REFUSALS: Readonly<Record<string, Refused>> = {
  400: {
    description: "The address cannot be read.",
    title: "The address is not readable",
    detail: "its percent-encoding is broken or is not UTF-8",
  },
  500: {
    description: "A failure that was logged.",
    title: "Internal error",
    detail: "the failure was logged",
  },
  503: {
    description: "Something that this needs is away; see Retry-After.",
    title: "Not now",
    detail: "something that this needs is away; try again later",
  },
};
/** How routes that name it in `security` are opened. */
const SECURITY_SCHEMES = {
  apiKey: {
    type: "http",
    scheme: "bearer",
    description: "`authorization: Bearer KEY`, where API keys are in use.",
  },
};

interface Parameter {
  readonly name?: string;
  readonly in?: string;
}

interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: object }>> };
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

/** The document of all routes that are declared on this instance. */
export function openApiDocument(app: AnyElysia): object {
  const described = toOpenAPISchema(documentable(app), undefined, undefined, { valibot: toJson });
  const told = parametersByOperation(app);
  const paths: Record<string, Record<string, object>> = {};
  for (const [path, operations] of Object.entries(described.paths)) {
    const complete: Record<string, object> = {};
    for (const [method, operation] of Object.entries(operations ?? {})) {
      complete[method] = withParameters(
        withRefusals(operation as Operation),
        told.get(`${method} ${path}`) ?? [],
      );
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
    servers: [{ url: "/" }],
    components: {
      ...described.components,
      securitySchemes: SECURITY_SCHEMES,
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

/** What routes say of their parameters themselves. The plugin leaves that out where the path has some. */
function parametersByOperation(app: AnyElysia): ReadonlyMap<string, readonly object[]> {
  return new Map(
    app.routes.map(({ method, path, hooks }) => {
      const parameters = (hooks as { detail?: { parameters?: readonly object[] } }).detail?.parameters ?? [];
      return [`${method.toLowerCase()} ${path.replace(/:(\w+)\??/g, "{$1}")}`, parameters];
    }),
  );
}

function withParameters(operation: Operation, told: readonly Parameter[]): Operation {
  if (told.length === 0) return operation;
  const same = (one: Parameter) => (other: Parameter) => one.name === other.name && one.in === other.in;
  const others = (operation.parameters ?? []).filter((one) => !told.some(same(one)));
  return { ...operation, parameters: [...told, ...others] };
}

function toJson(schema: GenericSchema): JsonSchema {
  const { $schema: _, ...json } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
  return json;
}

function withRefusals(operation: Operation): Operation {
  const refusals = operation.requestBody ? { ...ANY_REFUSALS, ...BODY_REFUSALS } : ANY_REFUSALS;
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
  for (const [status, refused] of Object.entries(refusals)) responses[status] ??= refusal(status, refused);
  if (!operation.requestBody) return { ...operation, responses };
  // The door reads JSON only; the plugin would promise forms as well.
  const { "application/json": json = {} } = operation.requestBody.content;
  return {
    ...operation,
    requestBody: { ...operation.requestBody, content: { "application/json": withNames(json) } },
    responses,
  };
}

/** Fields beyond those of a schema may be sent, but for a name that the door itself refuses (carried-text.ts). */
function withNames(json: { readonly schema?: object }): object {
  return { ...json, schema: { ...json.schema, propertyNames: { not: { const: "__proto__" } } } };
}

function refusal(status: string, { description, ...problem }: Refused): object {
  const example = { type: "about:blank", status: Number(status), ...problem };
  return { description, content: { [PROBLEM_TYPE]: { schema: PROBLEM_REF, example } } };
}
