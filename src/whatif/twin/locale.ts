/** Encoding and collation of the twin's database: the target's own where this machine has them. */
import type pg from 'pg';
import { type Limit, PgLuthierError, quoteLiteral, type ServerFacts } from '../../domain/index.ts';

interface Attempt {
  clauses: string[];
  /** What is lost by it; null: it is the target's own. */
  loss: string | null;
}

const text = (value: string | null) => quoteLiteral(value ?? 'C');
const isC = (collate: string | null) => collate === 'C' || collate === 'POSIX';

/** Ways to make the database, the most faithful first. */
function attempts(facts: ServerFacts, major: number): Attempt[] {
  const { encoding, lc_collate, lc_ctype, locale_provider, icu_locale } = facts;
  const named = [`ENCODING ${text(encoding)}`];
  const libc = (collate: string, ctype: string) => [
    ...(major >= 15 ? ['LOCALE_PROVIDER libc'] : []),
    `LC_COLLATE ${text(collate)}`,
    `LC_CTYPE ${text(ctype)}`,
  ];
  const list: Attempt[] = [];
  let byCodePoint = false;
  if (locale_provider === 'b') {
    byCodePoint = true;
    if (major >= 17) {
      const clauses = [`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${text(icu_locale)} LOCALE 'C'`];
      list.push({ clauses: [...named, ...clauses], loss: null });
    }
    // All built-in locales of PostgreSQL 17 and 18 sort by code point.
    list.push({ clauses: [...named, ...libc('C', 'C.UTF-8')], loss: null });
  } else if (locale_provider === 'i') {
    if (major >= 15) {
      const clauses = [
        `LOCALE_PROVIDER icu ICU_LOCALE ${text(icu_locale)} LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'`,
      ];
      list.push({ clauses: [...named, ...clauses], loss: null });
    }
  } else {
    byCodePoint = isC(lc_collate);
    list.push({ clauses: [...named, ...libc(lc_collate ?? 'C', lc_ctype ?? 'C')], loss: null });
  }
  const wanted = icu_locale ?? lc_collate ?? "the target's collation";
  if (!byCodePoint) {
    list.push({
      clauses: [...named, ...libc('C.UTF-8', 'C.UTF-8')],
      loss: `The twin compares texts by C.UTF-8 in place of ${wanted}, which this machine does not have; estimates for ranges of texts may differ.`,
    });
  }
  list.push({
    clauses: [...named, ...libc('C', 'C')],
    loss: byCodePoint
      ? null
      : `The twin compares texts by C in place of ${wanted}, which this machine does not have: it may serve LIKE by an index that the target cannot use for it.`,
  });
  list.push({
    clauses: ["ENCODING 'UTF8'", ...libc(byCodePoint ? 'C' : 'C.UTF-8', 'C.UTF-8')],
    loss: `The twin keeps texts in UTF8 in place of ${encoding}.`,
  });
  return list;
}

/**
 * Creates the database `name` as much like the target's as can be. The planner asks of a collation whether it is C (a
 * plain B-tree serves LIKE only then), and compares histograms of texts by it.
 * @throws PgLuthierError `twin_unavailable`.
 */
export async function createDatabase(
  client: pg.Client,
  name: string,
  facts: ServerFacts,
  major: number,
): Promise<Limit[]> {
  let failure: unknown;
  for (const { clauses, loss } of attempts(facts, major)) {
    try {
      await client.query(`CREATE DATABASE ${name} TEMPLATE template0 ${clauses.join(' ')}`);
      if (loss === null) return [];
      return [{ scope: 'twin', code: 'twin_collation_substituted', message: loss, remedy: null }];
    } catch (error) {
      failure = error;
    }
  }
  throw new PgLuthierError({
    code: 'twin_unavailable',
    status: 500,
    message: `No database could be made for the twin: ${failure instanceof Error ? failure.message : String(failure)}`,
    cause: failure,
  });
}
