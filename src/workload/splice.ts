/** Editing a statement's text at the grammar's byte offsets, so that all the rest of it stays as it was written. */

/** Replaces bytes `start` to `end` (exclusive) of the UTF-8 text by `text`. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** Applies edits that do not overlap, in any order. */
export function applyEdits(sql: string, edits: readonly Edit[]): string {
  const bytes = Buffer.from(sql, 'utf8');
  const parts: Buffer[] = [];
  let position = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    if (edit.start < position || edit.end < edit.start || edit.end > bytes.length) {
      throw new Error('edits overlap or lie outside the text');
    }
    parts.push(bytes.subarray(position, edit.start), Buffer.from(edit.text, 'utf8'));
    position = edit.end;
  }
  parts.push(bytes.subarray(position));
  return Buffer.concat(parts).toString('utf8');
}

/** Bytes `start` to `end` of the UTF-8 text. */
export function sliceBytes(sql: string, start: number, end?: number): string {
  return Buffer.from(sql, 'utf8').subarray(start, end).toString('utf8');
}
