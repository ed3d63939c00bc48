/** The doctor's findings in a terminal. */
import type { Diagnosis } from '../domain/index.ts';
import { wrap } from './format.ts';
import type { TextOptions } from './text.ts';

/** One line a check, the remedy below where something is missing. */
export function renderDiagnosis(diagnosis: Diagnosis, { width }: TextOptions): string {
  const title = `${diagnosis.address} as ${diagnosis.role}, PostgreSQL ${diagnosis.server_version}`;
  const lines = [...wrap(title, width, ''), ''];
  for (const check of diagnosis.checks) {
    const mark = check.ok === null ? '?' : check.ok ? 'ok' : check.need === 'apply' ? '-' : '!!';
    const use = check.need === 'apply' ? ' (for applying only)' : '';
    lines.push(...wrap(`${mark.padEnd(3)} ${check.title}${use}: ${check.detail}`, width, '  '));
    if (check.remedy) lines.push(...wrap(`-> ${check.remedy}`, width, '      '));
  }
  for (const limit of diagnosis.limits) lines.push(...wrap(limit.message, width, '  '));
  const missing = diagnosis.checks.filter((check) => check.ok === false);
  lines.push('', missing.length === 0 ? 'Nothing is missing.' : `${missing.length} thing(s) missing.`);
  return `${lines.join('\n')}\n`;
}
