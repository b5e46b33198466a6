import { expect, test } from "bun:test";
import { failpoint } from "../ground/failpoint.ts";
import { armFailpoints } from "./failpoints.ts";

test("a failpoint does nothing until it is armed, tells its name then, and nothing again afterwards", () => {
  const visited: string[] = [];
  failpoint("settle.published");
  const disarm = armFailpoints((point) => visited.push(point));
  failpoint("commit.before");
  failpoint("commit.after");
  disarm();
  failpoint("settle.published");
  expect(visited).toEqual(["commit.before", "commit.after"]);
});

test("a process that is to die at the second visit of a point is killed there, and not before", async () => {
  const script = `
    const { dieAt } = await import(${JSON.stringify(`${import.meta.dir}/failpoints.ts`)});
    const { failpoint } = await import(${JSON.stringify(`${import.meta.dir}/../ground/failpoint.ts`)});
    dieAt({ point: "settle.published", visit: 2 });
    failpoint("settle.published");
    failpoint("commit.before");
    process.stdout.write("alive");
    failpoint("settle.published");
    process.stdout.write("still alive");
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  expect(await new Response(child.stdout).text()).toBe("alive");
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
});
