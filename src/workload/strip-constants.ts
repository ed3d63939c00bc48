/** Statements without the constants, comments and names of roles that pg_stat_statements leaves in them. */
import { isComment, loadGrammar, scanTokens, tryParse } from './parser.ts';
import { applyEdits, type Edit } from './splice.ts';

/**
 * Constants by their tokens; the scanner leaves those of bits and of U&'…' without a name. Integers below 100 stay:
 * `ORDER BY 1`, `numeric(10, 2)` mean something by them, and pg_stat_statements has replaced those that are data.
 */
function isConstant({ tokenName, text }: { tokenName: string; text: string }): boolean {
  if (tokenName === 'ICONST') return text.length > 2;
  return tokenName === 'FCONST' || tokenName === 'SCONST' || text.endsWith("'");
}
const NUMBERS = new Set(['FCONST', 'ICONST']);

type Node = Record<string, unknown>;
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All `sval`s below. */
function strings(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(strings);
  if (!isNode(value)) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === 'sval' && typeof item === 'string' ? [item] : strings(item),
  );
}

/** Places where the grammar keeps a role's name as any other text; everywhere else it is a `rolename`. */
function rolesOf(kind: string, node: Node): unknown[] {
  switch (kind) {
    case 'CreateRoleStmt':
      return [node.role];
    case 'RenameStmt':
      return node.renameType === 'OBJECT_ROLE' ? [node.subname, node.newname] : [];
    case 'VariableSetStmt':
      return ['role', 'session_authorization'].includes(String(node.name)) ? strings(node.args) : [];
    case 'DefElem':
      return node.defname === 'owner' ? strings(node.arg) : [];
    case 'CommentStmt':
    case 'SecLabelStmt':
      return node.objtype === 'OBJECT_ROLE' ? strings(node.object) : [];
    case 'GrantRoleStmt':
      return Array.isArray(node.granted_roles)
        ? node.granted_roles.map((item) => (item as { AccessPriv?: Node }).AccessPriv?.priv_name)
        : [];
    default:
      return [node.rolename];
  }
}

/** Names of roles in a statement: people and machines, where all other names are the schema's. */
function roleNames(tree: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(tree)) for (const item of tree) roleNames(item, found);
  if (!isNode(tree)) return found;
  for (const [kind, value] of Object.entries(tree)) {
    if (isNode(value)) {
      for (const name of rolesOf(kind, value)) if (typeof name === 'string') found.add(name);
    }
    roleNames(value, found);
  }
  return found;
}

/** The name that an identifier stands for. */
const nameOf = (text: string) =>
  text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase();
const STRIPPED_ROLE = 'stripped_role';

/**
 * The statement with a new parameter for each constant, one name for all roles, and without comments. Where the grammar wants a constant
 * (`SET x TO '…'`, `varchar(10)`), strings become 'x' and numbers 1. Null: PostgreSQL's grammar takes neither, so that
 * nobody can say what in it is a constant.
 */
export async function stripConstants(sql: string): Promise<string | null> {
  await loadGrammar();
  const tokens = scanTokens(sql);
  if (tokens === null) return null;
  const parsed = tryParse(sql);
  if (!('tree' in parsed)) return null;
  const roles = roleNames(parsed.tree);
  const constants = tokens.filter((token) => !isComment(token) && isConstant(token));
  const comments = tokens.filter(isComment).map(({ start, end }): Edit => ({ start, end, text: ' ' }));
  const names = tokens
    .filter((token) => !isComment(token) && !isConstant(token) && roles.has(nameOf(token.text)))
    .map(({ start, end }): Edit => ({ start, end, text: STRIPPED_ROLE }));
  let parameter = 0;
  for (const token of tokens) {
    if (token.tokenName === 'PARAM') parameter = Math.max(parameter, Number(token.text.slice(1)) || 0);
  }
  const asParameters = constants.map(({ start, end }): Edit => {
    parameter += 1;
    return { start, end, text: `$${parameter}` };
  });
  const asPlain = constants.map(
    ({ start, end, tokenName }): Edit => ({ start, end, text: NUMBERS.has(tokenName) ? '1' : "'x'" }),
  );
  for (const edits of [asParameters, asPlain]) {
    const stripped = applyEdits(
      sql,
      [...comments, ...names, ...edits].sort((a, b) => a.start - b.start),
    ).trim();
    if ('tree' in tryParse(stripped)) return stripped;
  }
  return null;
}
