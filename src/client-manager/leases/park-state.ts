/** Where a parked call waits, and which of its rounds the client has seen: the plain text under the gateway's seal (PROTOCOL D). */
export interface ParkState {
  /** The process that holds the call. */
  readonly owner: string;
  readonly id: string;
  /** From 1. */
  readonly round: number;
}

export const OWNER_LENGTH = 12;
/** 130 bits: the gateway's seal is not the only lock. */
export const ID_LENGTH = 26;

const FORM = new RegExp(`^park:([0-9a-z]{${OWNER_LENGTH}})\\.([0-9a-z]{${ID_LENGTH}})\\.([1-9]\\d{0,5})$`);

export function formatParkState({ owner, id, round }: ParkState): string {
  return `park:${owner}.${id}.${round}`;
}

/** Undefined for any text that `formatParkState` does not make. */
export function parseParkState(text: string): ParkState | undefined {
  const found = FORM.exec(text);
  return found === null ? undefined : { owner: found[1] as string, id: found[2] as string, round: Number(found[3]) };
}
