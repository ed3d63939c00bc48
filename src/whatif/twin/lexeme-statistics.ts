/** Statistics of an expression that is a tsvector: its most common lexemes, and what of its texts no list shows. */
import type pg from 'pg';
import type { ColumnStats } from '../../domain/index.ts';

/** OID of the type. */
const TSVECTOR = 3614;

/** `applied` has each value's share of the rows and the expression's image of it. */
export interface Applied {
  applied: string;
  values: readonly unknown[];
}

/** Whether the expression gives tsvectors. */
export async function isTsvector(planner: pg.Client, { applied, values }: Applied): Promise<boolean> {
  const { fields } = await planner.query(`${applied} SELECT image FROM applied LIMIT 0`, [...values]);
  return fields[0]?.dataTypeID === TSVECTOR;
}

/** Of widths that differ by less it is not said that values are missing. */
const NOTABLY_WIDER = 1.1;
/** vl_len of a value that is not short. */
const HEADER = 4;

/** Texts of more than 1,024 bytes are in no list of ANALYZE (WIDTH_THRESHOLD of analyze.c), but in the mean width. */
export async function widerThanShown(
  planner: pg.Client,
  { applied, values }: Applied,
  { avg_width }: ColumnStats,
): Promise<Pick<ColumnStats, 'wider'>> {
  const { rows } = await planner.query<{ width: number | null }>(
    `${applied} SELECT (sum(pgl_share * octet_length(pgl_text)) / nullif(sum(pgl_share), 0))::float8 AS width
     FROM applied WHERE pgl_text IS NOT NULL`,
    [...values],
  );
  const wider = avg_width / Math.max(1, (rows[0]?.width ?? avg_width) + HEADER);
  return wider > NOTABLY_WIDER ? { wider } : {};
}

/** A lexeme that fewer of the values have is not kept: its share would be chance. */
const FEWEST_WITH_LEXEME = 3;

/**
 * Most common lexemes of an expression that is a tsvector, as compute_tsvector_stats() keeps them: sorted by length, then
 * by bytes; behind the shares the least and the greatest of them.
 */
export async function lexemes(
  planner: pg.Client,
  { applied, values }: Applied,
): Promise<Pick<ColumnStats, 'most_common_elems' | 'most_common_elem_freqs'> | null> {
  const { rows } = await planner.query<{ lexeme: string; share: number }>(
    `${applied} SELECT u.lexeme, sum(pgl_share)::float8 / greatest(1e-9, (SELECT sum(pgl_share) FROM applied WHERE image IS NOT NULL))::float8 AS share
     FROM applied, unnest(image) AS u GROUP BY u.lexeme HAVING count(*) >= ${FEWEST_WITH_LEXEME}
     ORDER BY octet_length(u.lexeme), u.lexeme COLLATE "C"`,
    [...values],
  );
  const shares = rows.map((row) => Math.min(1, row.share));
  if (shares.length === 0) return null;
  return {
    most_common_elems: arrayText(rows.map((row) => row.lexeme)),
    most_common_elem_freqs: [...shares, Math.min(...shares), Math.max(...shares)],
  };
}

/** An array's text: every element in quotes. */
export function arrayText(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
