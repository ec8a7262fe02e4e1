import assert from "node:assert/strict";
import { it } from "node:test";
import { stateMachine } from "./state-machine.ts";

interface Door {
  id: string;
  state: { kind: "open" } | { kind: "shut"; locked: boolean };
}

it("an entity takes the steps that its life has, and no other", () => {
  const withState = stateMachine<Door>("door", { open: ["shut"], shut: ["shut"] });
  const shut = withState({ id: "front", state: { kind: "open" } }, { kind: "shut", locked: false });
  assert.deepEqual(shut, { id: "front", state: { kind: "shut", locked: false } });
  assert.deepEqual(withState(shut, { kind: "shut", locked: true }).state, { kind: "shut", locked: true });
  assert.throws(() => withState(shut, { kind: "open" }), {
    kind: "failed-precondition",
    message: "door front is shut and cannot become open",
  });
});
