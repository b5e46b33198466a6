/**
 * Asking as people do: over HTTP.
 *
 * In: a door's address, questions. Out: statuses and bodies. Never here: judging them.
 */
import { eventually } from "./stage.ts";

export interface Question {
  readonly title: string;
  readonly content: string;
  readonly best_answer: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly id?: string;
    readonly hit?: boolean;
    readonly from?: string;
    readonly queued?: boolean;
    readonly state?: string;
    readonly answer?: string;
    readonly score?: number;
    readonly title?: string;
    readonly detail?: string;
    readonly reason?: string;
    readonly waiting_until?: string;
    readonly below_threshold?: boolean;
    readonly errors?: readonly { readonly field: string; readonly message: string }[];
  };
}

/** A passage that no other question has, and a question that it answers. */
export function question(topic: string, number: number): Question {
  return {
    title: `How many boats of ${topic} ${number} cross the bay?`,
    content: `In ${topic} ${number} there is a harbour. Forty ${number} boats cross the bay every day. The fish is good.`,
    best_answer: `Forty ${number} boats`,
  };
}

export function questions(topic: string, howMany: number): Question[] {
  return Array.from({ length: howMany }, (_, index) => question(topic, index + 1));
}

export async function ask(door: string, asked: unknown): Promise<Answer> {
  return await post(door, JSON.stringify(asked));
}

/** Any bytes as the body of POST /query. */
export async function post(
  door: string,
  body: string | Uint8Array<ArrayBuffer>,
  type = "application/json",
): Promise<Answer> {
  const response = await fetch(`${door}/query`, {
    method: "POST",
    headers: { "content-type": type },
    body,
    signal: AbortSignal.timeout(30_000),
  });
  return await read(response);
}

export async function get(door: string, path: string): Promise<Answer> {
  return await read(await fetch(door + path, { signal: AbortSignal.timeout(30_000) }));
}

async function read(response: Response): Promise<Answer> {
  const body = (await response.json()) as Answer["body"];
  return { status: response.status, headers: response.headers, body };
}

/** Asks a question until it is accepted (a 503 says that it may be asked again), and returns its id. */
export async function queue(door: string, asked: Question): Promise<string> {
  return await eventually("the question is accepted", async () => {
    const { status, body } = await ask(door, asked);
    // One that was kept, though its 503 could not say so, may be answered when it is asked again.
    if (![200, 202].includes(status) || body.id === undefined)
      throw new Error(`${status}: ${JSON.stringify(body)}`);
    return body.id;
  });
}

/** Resolves with the status of a question once it is in one of the states. A wait that was in vain tells the question's steps. */
export async function reaches(
  door: string,
  id: string,
  ...states: readonly string[]
): Promise<Answer["body"]> {
  try {
    return await eventually(`${id} is ${states.join(" or ")}`, async () => {
      const { body } = await get(door, `/query/${id}`);
      if (!states.includes(body.state ?? "")) throw new Error(`it is ${JSON.stringify(body)}`);
      return body;
    });
  } catch (thrown) {
    throw new Error(`${String(thrown)}\nits steps: ${await stepsOf(door, id)}`, { cause: thrown });
  }
}

/** What the door streams of a question within a moment. */
async function stepsOf(door: string, id: string): Promise<string> {
  let told = "";
  try {
    const signal = AbortSignal.timeout(STREAM_MS);
    const { body } = await fetch(`${door}/query/${id}/events`, { signal });
    for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) told += text;
  } catch (thrown) {
    told += ` (${String(thrown)})`;
  }
  return told;
}

const STREAM_MS = 1_000;

/** One number of /metrics, named with its labels as they stand there; 0 when it is not there. */
export async function metric(door: string, name: string): Promise<number> {
  const text = await (await fetch(`${door}/metrics`, { signal: AbortSignal.timeout(30_000) })).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length) ?? 0);
}
