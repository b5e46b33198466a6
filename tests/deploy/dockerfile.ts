/**
 * The rules that our Dockerfile keeps, checked without an engine.
 *
 * In: a Dockerfile's text, what the build context holds. Out: every rule that is broken, as a sentence.
 * Never here: reading the disk, building anything.
 */

export interface DockerfileOptions {
  readonly text: string;
  /** Does the build context hold this path, after .dockerignore? */
  readonly inContext: (path: string) => boolean;
  /** Is there such a file in the repository? */
  readonly exists: (path: string) => boolean;
  /** Version of Bun that the project is tested with. */
  readonly bun: string;
}

interface Step {
  readonly instruction: string;
  readonly rest: string;
}

interface Stage {
  readonly name: string;
  readonly image: string;
  readonly steps: readonly Step[];
}

/** Every broken rule; none in a file that is as it should be. */
export function findDockerfileFaults(options: DockerfileOptions): string[] {
  const stages = stagesIn(options.text);
  const last = stages.at(-1);
  if (last === undefined) return ["there is no stage"];
  return [
    ...(stages.length < 2 ? ["what builds also runs: there is one stage only"] : []),
    ...stages.flatMap((stage, index) => stageFaults(stage, stages.slice(0, index), options)),
    ...buildFaults(stages.slice(0, -1)),
    ...lastFaults(last, options),
  ];
}

/** What is found out when the image is built is not found out when it runs. */
function buildFaults(stages: readonly Stage[]): string[] {
  const runs = stages
    .flatMap(({ steps }) => steps)
    .filter(({ instruction }) => instruction === "RUN")
    .map(({ rest }) => rest)
    .join("\n");
  return [
    ...(runs.includes("cauce.ts manifest") ? [] : ["its handlers are in no manifest"]),
    ...(runs.includes("bun deploy/build-shim.ts") ? [] : ["the shim is not built"]),
  ];
}

function stageFaults(stage: Stage, before: readonly Stage[], options: DockerfileOptions): string[] {
  const image = new RegExp(`^oven/bun:${options.bun.replaceAll(".", "\\.")}(-slim)?$`);
  return [
    ...(image.test(stage.image) ? [] : [`${stage.name}: ${stage.image} is not oven/bun:${options.bun}`]),
    ...copiesIn(stage).flatMap(({ from, sources }) => {
      if (from !== null) return before.some(({ name }) => name === from) ? [] : [`there is no stage ${from}`];
      return sources.filter((path) => !options.inContext(path)).map((path) => `${path} is not there to copy`);
    }),
  ];
}

/** What runs: not as root, in production, checked, stopped by SIGTERM, started without a shell, building nothing. */
function lastFaults(stage: Stage, { exists }: DockerfileOptions): string[] {
  const find = (instruction: string) =>
    stage.steps.findLast((step) => step.instruction === instruction)?.rest;
  const user = find("USER");
  const health = find("HEALTHCHECK") ?? "";
  const environment = stage.steps.filter(({ instruction }) => instruction === "ENV").map(({ rest }) => rest);
  const tools = /\b(apt-get|apk|pip3?|gcc|cc|make|bun (install|add))\b/;
  return [
    ...(user === undefined || /^(root|0)\b/.test(user) ? ["it runs as root"] : []),
    ...(/\bNODE_ENV=production\b/.test(environment.join(" ")) ? [] : ["NODE_ENV is not production"]),
    ...(/\bCAUCE_LIBRDKAFKA=\//.test(environment.join(" ")) ? [] : ["CAUCE_LIBRDKAFKA names no library"]),
    ...(health.includes("/healthz") ? [] : ["its health check does not ask /healthz"]),
    ...(valueIn(environment, "PORT") === valueIn(environment, "HEALTH_PORT")
      ? []
      : ["HEALTH_PORT is not PORT: no one health check fits all"]),
    ...[...health.matchAll(/[\w./-]+\.ts/g)]
      .filter(([path]) => !exists(path))
      .map(([path]) => `its health check runs ${path}, which does not exist`),
    ...(find("STOPSIGNAL") === "SIGTERM" ? [] : ["it is not stopped by SIGTERM"]),
    ...(find("CMD")?.startsWith("[") ? [] : ["its command runs in a shell, which keeps signals to itself"]),
    ...stage.steps
      .filter(({ instruction, rest }) => instruction === "RUN" && tools.test(rest))
      .map(({ rest }) => `the last stage installs or builds: ${rest}`),
  ];
}

function valueIn(environment: readonly string[], name: string): string {
  return new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(environment.join(" "))?.[1] ?? "";
}

function copiesIn(stage: Stage): { readonly from: string | null; readonly sources: readonly string[] }[] {
  return stage.steps
    .filter(({ instruction }) => instruction === "COPY")
    .map(({ rest }) => {
      const words = rest.split(/\s+/);
      const from = words.find((word) => word.startsWith("--from="))?.slice("--from=".length) ?? null;
      return { from, sources: words.filter((word) => !word.startsWith("--")).slice(0, -1) };
    });
}

function stagesIn(text: string): Stage[] {
  const stages: { name: string; image: string; steps: Step[] }[] = [];
  for (const { instruction, rest } of stepsIn(text)) {
    if (instruction === "FROM") {
      const [image = "", , name = `stage ${stages.length}`] = rest.split(/\s+/);
      stages.push({ name, image, steps: [] });
    } else stages.at(-1)?.steps.push({ instruction, rest });
  }
  return stages;
}

function stepsIn(text: string): Step[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [instruction = "", ...rest] = line.split(/\s+/);
      return { instruction: instruction.toUpperCase(), rest: rest.join(" ") };
    });
}
