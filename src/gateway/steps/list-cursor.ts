import type { Sealer } from '../../security/index.ts';

/** Where a page ends: what it belongs to, and its last item. */
interface Position {
  readonly endpoint: string;
  readonly list: string;
  /** Of the page's last item among those that the caller sees. */
  readonly index: number;
  readonly id: string;
}

const PURPOSE = 'cursor';

/** Sealed, as a position tells of things that another caller may not see (PROTOCOL C15); the same text for the same position. */
export function cursorAt(sealer: Sealer, { endpoint, list, index, id }: Position): string {
  return sealer.sealStable(PURPOSE, JSON.stringify([endpoint, list, index, id]));
}

/**
 * Index of the first item behind a cursor's position. It is found again by its id where items before it came or went; undefined if the
 * cursor is not one of ours, is another list's, or its item is gone.
 */
export function indexBehind(
  sealer: Sealer,
  cursor: string,
  at: Pick<Position, 'endpoint' | 'list'>,
  items: readonly { readonly id: string }[],
): number | undefined {
  const plain = sealer.open(PURPOSE, cursor);
  if (plain === undefined) return undefined;
  const [endpoint, list, index, id] = JSON.parse(plain) as [string, string, number, string];
  if (endpoint !== at.endpoint || list !== at.list) return undefined;
  if (items[index]?.id === id) return index + 1;
  const moved = items.findIndex((item) => item.id === id);
  return moved < 0 ? undefined : moved + 1;
}
