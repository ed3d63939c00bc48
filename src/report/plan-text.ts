/** A plan as EXPLAIN's text has it. */
import { type PlanTree, planNodeName, quoteIdentifier } from '../domain/index.ts';
import { visible } from './terminal-text.ts';

export interface PlanTextOptions {
  /** Lines at most; the rest is counted. */
  lines?: number;
  /** Characters of a condition or a list of keys at most; the rest is counted. */
  line_length?: number;
}

const LINES = 60;
const LINE_LENGTH = 160;

/**
 * Lines of a plan, indented as EXPLAIN does. Uncut it is what the server's own EXPLAIN says, but for schemas, which
 * EXPLAIN names with VERBOSE only.
 */
export function renderPlan(tree: PlanTree, options: PlanTextOptions = {}): string[] {
  const { lines = LINES, line_length = LINE_LENGTH } = options;
  const all: string[] = [];
  const print: Print = (indent, text) => {
    // A line stays a line, and a constant's spaces stay what they are.
    const line = visible(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
    all.push(' '.repeat(indent) + line);
  };
  write(tree, { indent: 0, first: true, line_length }, print);
  if (all.length <= lines) return all;
  return [...all.slice(0, Math.max(0, lines - 1)), `… and ${all.length - lines + 1} more lines`];
}

function cut(text: string, length: number): string {
  return text.length <= length
    ? text
    : `${text.slice(0, length)} … (${text.length - length} more characters)`;
}

type Print = (indent: number, text: string) => void;

/** The indents are those of explain.c: two for what belongs to a node, six for what is below it. */
function write(
  node: PlanTree,
  place: { indent: number; first: boolean; line_length: number },
  print: Print,
): void {
  let { indent } = place;
  if (node.subplan_name !== undefined) {
    print(indent, node.subplan_name);
    indent += 2;
  }
  const arrow = place.first ? '' : '->  ';
  print(indent, `${arrow}${heading(node)}${costs(node)}`);
  const below = indent + arrow.length + 2;
  if (node.disabled) print(below, 'Disabled: true');
  for (const { relation, alias } of node.targets ?? [])
    print(below, `${node.operation ?? 'Write'} on ${quoted(relation)}${aliasOf(alias)}`);
  for (const { name, text } of node.details) print(below, `${name}: ${cut(text, place.line_length)}`);
  if (node.workers_planned !== undefined) print(below, `Workers Planned: ${node.workers_planned}`);
  if (node.subplans_removed) print(below, `Subplans Removed: ${node.subplans_removed}`);
  // EXPLAIN prints what runs first, first: InitPlans stand before the node's inputs in its JSON, too.
  for (const child of node.children) write(child, { ...place, indent: below, first: false }, print);
  if (node.left_out !== undefined) print(below, `… ${node.left_out} more nodes`);
  if (node.alike !== undefined) print(indent, `… and ${node.alike} more like it`);
}

function heading(node: PlanTree): string {
  const backward = node.scan_direction === 'backward' ? ' Backward' : '';
  const name = `${planNodeName(node)}${backward}`;
  if (node.node_type === 'Bitmap Index Scan') return `${name} on ${quoted(node.index ?? '')}`;
  const using = node.index === undefined ? '' : ` using ${quoted(node.index)}`;
  const read = node.node_type === 'Custom Scan' ? node.relation : (node.relation ?? node.source);
  const schema = node.schema === undefined ? '' : `${quoted(node.schema)}.`;
  if (read === undefined) return `${name}${using}${node.alias ? ` on ${quoted(node.alias)}` : ''}`;
  return `${name}${using} on ${schema}${quoted(read)}${aliasOf(node.alias)}`;
}

const costs = ({ startup_cost, total_cost, rows, width }: PlanTree) =>
  `  (cost=${startup_cost.toFixed(2)}..${total_cost.toFixed(2)} rows=${rows} width=${width})`;

/** A plan may come from anywhere: an empty name is shown as it is. */
const quoted = (name: string) =>
  name === '' || name.includes('\0') ? JSON.stringify(name) : quoteIdentifier(name);

const aliasOf = (alias: string | undefined) => (alias === undefined ? '' : ` ${quoted(alias)}`);
