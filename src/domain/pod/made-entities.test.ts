import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EntityIndex } from "#domain/entity/entity-index.ts";
import { MadeEntities } from "./made-entities.ts";

interface Entity {
  id: string;
  state: { kind: "creating" | "running" };
}

const entity = (id: string, kind: Entity["state"]["kind"]): Entity => ({ id, state: { kind } });

describe("made entities", () => {
  it("are those that are not half-made, in order", () => {
    const index = new EntityIndex<Entity>("thing", ({ id }) => id);
    const made = new MadeEntities(index);
    assert.deepEqual(made.all(), []);
    const [a, b, c] = [entity("a", "running"), entity("b", "creating"), entity("c", "running")];
    for (const one of [a, b, c]) index.set(one);
    assert.deepEqual(made.all(), [a, c]);
    const whole = entity("b", "running");
    index.set(whole);
    assert.deepEqual(made.all(), [a, whole, c]);
    index.delete("a");
    assert.deepEqual(made.all(), [whole, c]);
  });

  it("are the same array for as long as nothing changes", () => {
    const index = new EntityIndex<Entity>("thing", ({ id }) => id);
    const made = new MadeEntities(index);
    index.set(entity("a", "running"));
    const before = made.all();
    assert.equal(made.all(), before);
    index.set(entity("a", "running"));
    assert.notEqual(made.all(), before);
  });
});
