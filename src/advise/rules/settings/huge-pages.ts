/** huge_pages = off under large shared_buffers. */
import type { Rule } from '../../../domain/index.ts';
import { mostConnections } from '../../settings/bootable.ts';
import { computed, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, GB, settingBytes } from '../../settings/units.ts';

const ID = 'settings/huge-pages';
const NAME = 'huge_pages';
/** pgtune's: below it they bring nothing that is worth a look. */
const FROM = 2 * GB;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Huge pages are switched off',
  description:
    'try, the default, where it is off, shared_buffers are 2 GB and more, and the page tables of the most sessions that were seen ' +
    'would take a gigabyte. With try the server starts without where the kernel has ' +
    'none. on is never proposed: with it the server does not start then. Whether the host has any is health/huge-pages.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    const buffers = setting(context, 'shared_buffers');
    const bytes = buffers ? settingBytes(buffers) : null;
    if (!row || bytes === null) return limited(settingNotVisible(`${NAME}, shared_buffers`));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    if (row.setting !== 'off') return reject('as_wanted', `it is ${row.setting} already`);
    if (bytes < FROM) return reject('small_buffers', `${formatMemory(bytes)} of shared_buffers need none`);
    // 8 bytes of page table for each 4 kB that a session has touched.
    const sessions = mostConnections(context) ?? 0;
    const tables = (sessions * bytes) / 512;
    const pages = setting(context, 'shared_memory_size_in_huge_pages')?.setting;
    return propose(context, {
      rule: ID,
      name: NAME,
      value: 'try',
      formula: 'shared_buffers ≥ 2GB',
      why: `Each connection has page tables of its own for ${formatMemory(bytes)} of shared memory, in pages of 4 kB.`,
      unless:
        'A host that lends its memory out (ballooning), or a reason that somebody had to switch it off.',
      severity: 'low',
      confidence: 0.5,
      direction: 'either',
      observed: tables >= 1 * GB,
      evidence: [
        measured('shared_buffers', bytes, 'bytes', 'pg_settings'),
        measured('client sessions at once', sessions, 'sessions', 'pg_stat_activity, the most that was seen'),
        computed(
          'page tables of all sessions',
          tables,
          'bytes',
          'sessions × shared_buffers ÷ 4 kB × 8 bytes',
        ),
        ...(pages === undefined || pages === '-1'
          ? []
          : [
              measured(
                'huge pages that it takes',
                Number(pages),
                'pages',
                'shared_memory_size_in_huge_pages',
              ),
            ]),
      ],
      notes: ['The host must reserve them: vm.nr_hugepages. With try nothing breaks where it does not.'],
    });
  },
};
