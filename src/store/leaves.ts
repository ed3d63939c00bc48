/** A JSON value as rows of its leaves, so that what rarely changes takes nothing in a difference, whatever fields it has. */
import type { Row } from './row-delta.ts';

/** Leaves with their paths. */
export function leavesOf(value: unknown, path: (string | number)[] = [], leaves: Row[] = []): Row[] {
  const isBranch = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isBranch) {
    if (value !== undefined) leaves.push({ path: JSON.stringify(path), value });
    return leaves;
  }
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  for (const [key, item] of entries) leavesOf(item, [...path, key], leaves);
  return leaves;
}

/** The value again. */
export function fromLeaves(leaves: readonly Row[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path, value } of leaves) {
    const keys = JSON.parse(path as string) as (string | number)[];
    let at = root;
    keys.forEach((key, index) => {
      const next = keys[index + 1];
      // An empty object or list is shared with the state: copied.
      if (next === undefined) at[key] = structuredClone(value);
      else at[key] ??= typeof next === 'number' ? [] : {};
      at = at[key] as Record<string, unknown>;
    });
  }
  return root;
}
