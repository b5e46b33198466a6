/**
 * The entry `cauce/ingress`: what an application needs to declare its HTTP routes.
 */
export { described, routes, type Description, type Routes } from "./routes.ts";
export { problem, Problem, type FieldError, type ProblemOptions } from "./problem.ts";
export { traceOf } from "./trace-of.ts";
export { holdOpen } from "./held-open.ts";
