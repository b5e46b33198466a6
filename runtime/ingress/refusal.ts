/**
 * A request that is refused before any route sees it. Thrown inside the door, answered as problem details.
 */
import { problem, type ProblemOptions } from "./problem.ts";

export class Refusal extends Error {
  readonly status: number;
  readonly options: ProblemOptions;

  constructor(status: number, options: ProblemOptions) {
    super(options.title);
    this.name = "Refusal";
    this.status = status;
    this.options = options;
  }

  toProblem(): Response {
    return problem(this.status, this.options);
  }
}
