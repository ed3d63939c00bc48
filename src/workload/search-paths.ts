/** Which tables the same text means for different users: search paths of roles, as far as catalogs tell them. */
import type { ParseResult } from '@pgsql/types';
import { quoteIdentifier, type Snapshot } from '../domain/index.ts';
import type { ClassifiedStatement } from './classify.ts';
import { fingerprintOf, tryParse } from './parser.ts';
import { applyEdits, type Edit } from './splice.ts';
import { walk } from './tree.ts';
import { searchPathOf, type UsageCatalog } from './usage-catalog.ts';

/** An unqualified relation in a text. */
interface Unqualified {
  name: string;
  location: number;
}

function unqualifiedNames(tree: ParseResult): Unqualified[] {
  const ctes = new Set<string>();
  walk(tree, (node) => {
    if ('CommonTableExpr' in node) ctes.add(node.CommonTableExpr.ctename ?? '');
  });
  const names: Unqualified[] = [];
  walk(tree, (node) => {
    if (!('RangeVar' in node)) return;
    const { schemaname, relname = '', location = 0 } = node.RangeVar;
    if (schemaname === undefined && !ctes.has(relname)) names.push({ name: relname, location });
  });
  return names;
}

/**
 * Tells apart what one text means for different users. The same text is the same statement only where its names are
 * the same tables: for a user whose own search_path leads elsewhere than the database's, names are qualified in the
 * text, which gives it a fingerprint of its own.
 */
export class SearchPaths {
  private readonly snapshot: Snapshot;
  private readonly catalog: UsageCatalog;
  private readonly namesakes: boolean;
  private readonly paths = new Map<string | null, readonly string[]>();
  private readonly names = new Map<string, Unqualified[]>();
  private readonly resolved = new Map<string, ClassifiedStatement>();

  constructor(snapshot: Snapshot, catalog: UsageCatalog) {
    this.snapshot = snapshot;
    this.catalog = catalog;
    this.namesakes = catalog.hasNamesakes;
  }

  private namesIn(statement: Pick<ClassifiedStatement, 'query'>): Unqualified[] {
    const known = this.names.get(statement.query);
    if (known !== undefined) return known;
    const parsed = tryParse(statement.query);
    const names = 'tree' in parsed ? unqualifiedNames(parsed.tree) : [];
    this.names.set(statement.query, names);
    return names;
  }

  private pathOf(user: string | null): readonly string[] {
    const path = this.paths.get(user) ?? searchPathOf(this.snapshot, user);
    this.paths.set(user, path);
    return path;
  }

  /** The server counts this text for all schemas together: since 18 a queryid has tables' names, not their OIDs. */
  isJoinedByServer(statement: Pick<ClassifiedStatement, 'query'>): boolean {
    return this.snapshot.server.server_version_num >= 180_000 && this.isAmbiguous(statement);
  }

  /** Some name in it is that of tables or views in more than one schema. */
  isAmbiguous(statement: Pick<ClassifiedStatement, 'query'>): boolean {
    // Most databases have none: no text needs to be read again.
    if (!this.namesakes) return false;
    return this.namesIn(statement).some(({ name }) => this.catalog.schemasOf(name).length > 1);
  }

  /** The statement as this user's search path makes it. */
  resolve(statement: ClassifiedStatement, user: string | null): ClassifiedStatement {
    if (!this.isAmbiguous(statement)) return statement;
    const path = this.pathOf(user);
    const key = `${path.map(quoteIdentifier).join(',')}\n${statement.query}`;
    const known = this.resolved.get(key);
    if (known !== undefined) return known;
    const edits = this.namesIn(statement).flatMap(({ name, location }): Edit[] => {
      const theirs = this.catalog.schemaOf(name, path);
      if (theirs === null || theirs === this.catalog.schemaOf(name, this.catalog.search_path)) return [];
      return [{ start: location, end: location, text: `${quoteIdentifier(theirs)}.` }];
    });
    const resolved = edits.length > 0 ? this.qualified(statement, edits) : statement;
    this.resolved.set(key, resolved);
    return resolved;
  }

  private qualified(statement: ClassifiedStatement, edits: readonly Edit[]): ClassifiedStatement {
    const query = applyEdits(statement.query, edits);
    const parsed = tryParse(query);
    if ('fault' in parsed) throw new Error(`qualifying names broke a statement: ${parsed.fault.message}`);
    return { ...statement, query, query_id: fingerprintOf(query, parsed.tree) };
  }
}
