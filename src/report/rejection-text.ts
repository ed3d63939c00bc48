/** What was considered and not recommended, by reason and table: what stands in the way and what came nearest first. */
import {
  costShareWords,
  type Nearness,
  type Rejection,
  type RejectionGroup,
  savingWords,
} from '../domain/index.ts';
import { bytes, wrap, wrapItem } from './format.ts';

/** Listed of each group; the JSON and the API have all. */
const TABLES = 4;
const OF_TABLE = 2;
const WITHOUT_TABLE = 3;
const NAMES = 8;

/** How near an index came, in one clause; shares are of the workload's plan cost. */
export function nearnessText(nearness: Nearness): string {
  const { size_bytes, saves_alone, saves_beside, must_save, short_by, instead_of } = nearness;
  const parts =
    instead_of !== null
      ? [short_by > 0 ? `${costShareWords(short_by)} dearer` : 'no dearer by the plans that are known']
      : [
          `${savingWords(saves_beside ?? 0, ['saves', 'costs'])} beside the recommended, must save ${costShareWords(must_save ?? 0)}`,
          ...(saves_alone === null ? [] : [`by itself it ${savingWords(saves_alone, ['saves', 'costs'])}`]),
        ];
  return [bytes(size_bytes), ...parts].join(', ');
}

/** Without the table, which stands above it. */
export function candidateOf({ candidate, table }: Pick<Rejection, 'candidate' | 'table'>): string {
  const prefix = `${table} USING `;
  return table !== undefined && candidate.startsWith(prefix) ? candidate.slice(prefix.length) : candidate;
}

/** The table of a part of a group, and the recommended index in whose place its candidates would come. */
export function tableText({ table, instead_of }: RejectionGroup['tables'][number]): string {
  if (table === null) return '';
  if (instead_of === null) return table;
  return `${table}, in the place of ${candidateOf({ candidate: instead_of, table })}`;
}

/** What it was, and why not: by its numbers where it was weighed, for the reason stands above it. */
function itemText(item: Rejection, isSaid: boolean): string {
  const { nearness } = item;
  if (nearness) return `${candidateOf(item)}: ${nearnessText(nearness)}`;
  return isSaid ? candidateOf(item) : `${candidateOf(item)}: ${item.reason}`;
}

/** Lines without a heading; none where nothing was rejected. */
export function rejectionLines(groups: readonly RejectionGroup[], width: number): string[] {
  const lines: string[] = [];
  let area = '';
  for (const group of groups) {
    if (group.area !== area) lines.push(`  ${group.area}`);
    area = group.area;
    lines.push(...groupLines(group, width));
  }
  return lines;
}

function groupLines(group: RejectionGroup, width: number): string[] {
  const { title, count, tables, cause } = group;
  const all = tables.flatMap(({ nearest }) => nearest);
  // What is well as it is needs no reasons here.
  if (cause === 'not_needed') {
    const names = all.slice(0, NAMES).map(({ candidate }) => candidate);
    const more = count > names.length ? `, and ${count - names.length} more` : '';
    return wrapItem(`${title} (${count}): ${names.join(', ')}${more}`, width, '    ', '');
  }
  const lines = wrap(`${title} (${count})`, width, '    ');
  // One reason for all of them says what the title says.
  const isSaid = all.length > 1 && new Set(all.map(({ reason }) => reason)).size === 1;
  let told = 0;
  for (const part of tables.slice(0, TABLES)) {
    const text = tableText(part);
    const some = part.nearest.slice(0, text === '' ? WITHOUT_TABLE : OF_TABLE);
    told += text === '' ? some.length : part.count;
    const indent = text === '' ? '      ' : '        ';
    if (text !== '') lines.push(...wrap(`${text} (${part.count})`, width, '      '));
    for (const item of some) lines.push(...wrapItem(itemText(item, isSaid), width, indent, '- '));
    if (text !== '' && part.count > some.length)
      lines.push(`${indent}… and ${part.count - some.length} more`);
  }
  if (count > told) lines.push(`      … and ${count - told} more`);
  return lines;
}
