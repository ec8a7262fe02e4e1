import { DomainError } from "#errors/domain-error.ts";

/**
 * Makes the function that gives an entity in its next state, out of the table of the steps that such an entity's life has. The function
 * throws a DomainError failed-precondition for any other step; `noun` names the kind of entity there.
 */
export function stateMachine<E extends { readonly id: string; readonly state: { readonly kind: string } }>(
  noun: string,
  nextStates: Record<E["state"]["kind"], readonly E["state"]["kind"][]>,
): (entity: E, state: E["state"]) => E {
  return (entity, state) => {
    const from: E["state"]["kind"] = entity.state.kind;
    if (!nextStates[from].includes(state.kind))
      throw new DomainError("failed-precondition", `${noun} ${entity.id} is ${from} and cannot become ${state.kind}`);
    return { ...entity, state };
  };
}
