import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { age, deadRepository, idOf, newTitle, openDoorOn } from "./open-door.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("keeper");
});
afterAll(() => stage.close());

const openDoor = (changes: Parameters<typeof openDoorOn>[1] = {}) => openDoorOn(stage, changes);

describe("the keeper", () => {
  test("publishes what a dead process claimed and never published, under the same id, once", async () => {
    const title = newTitle();
    const id = idOf(title);
    await stage.repository.claim({ id, title, content: "c", best_answer: "b" }, null);
    await age(stage, id);
    const doors = [openDoor(), openDoor(), openDoor()];
    await Promise.all(doors.map((door) => door.keeper.tick()));
    const sent = doors.flatMap((door) => door.sent).filter((message) => message.id.startsWith(id));
    expect(sent).toMatchObject([
      { id: `${id}.1`, value: { id, title, content: "c", best_answer: "b", round: 1 } },
    ]);
    await stage.repository.settled();
    await age(stage, id);
    await doors[0]?.keeper.tick();
    expect(doors.flatMap((door) => door.sent).filter((message) => message.id.startsWith(id))).toHaveLength(1);
    await Promise.all(doors.map((door) => door.keeper.close()));
  });

  test("publishes again what an embedded broker has lost, as a message that is new to the schedule's keys", async () => {
    const title = newTitle();
    const id = idOf(title);
    const door = openDoor();
    door.faults.generation = "first";
    await door.ask({ title });
    await door.keeper.tick();
    expect(door.sent.filter((message) => message.id.startsWith(id))).toHaveLength(1);
    door.faults.generation = "second";
    await door.keeper.tick();
    await door.keeper.tick();
    const sent = door.sent.filter((message) => message.id.startsWith(id)).map((message) => message.id);
    expect(sent).toEqual([`${id}.1.first`, `${id}.1.second`]);
    await door.keeper.close();
  });

  test("goes on with its other duties when one of them fails", async () => {
    const door = openDoor({ repository: deadRepository() });
    await door.keeper.tick();
    await door.keeper.close();
  });
});
