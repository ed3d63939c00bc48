/** Large shared memory in small pages. */
import { healthRule } from '../../health/check.ts';
import { settingEvidence } from '../../health/finding.ts';
import { size } from '../../health/words.ts';
import { measured, setting } from '../../settings/facts.ts';
import { settingBytes } from '../../settings/units.ts';

const LARGE = 8 * 1024 ** 3;

export const rule = healthRule(
  'huge-pages',
  'Shared memory does without huge pages',
  'shared_buffers of 8 GB or more, and huge_pages_status off (17 and newer; what the server got, not what it asked for) or huge_pages off ' +
    'before. With huge_pages = try before 17 SQL cannot tell whether it got them: a limit says so. Quiet on managed services.',
  (context) => {
    if (context.snapshot.server.managed_service !== null) return {};
    const buffers = setting(context, 'shared_buffers');
    const asked = setting(context, 'huge_pages');
    const bytes = buffers ? settingBytes(buffers) : null;
    if (bytes === null || asked === undefined || bytes < LARGE) return {};
    const status = setting(context, 'huge_pages_status')?.setting;
    const off = status === undefined ? asked.setting === 'off' : status === 'off';
    if (!off && status !== 'on' && asked.setting === 'try') {
      return {
        limits: [
          {
            code: 'huge_pages_not_visible',
            message: 'huge_pages is try, and this version does not tell whether the server got them.',
            remedy: 'On the host: grep -i hugepages /proc/meminfo; HugePages_Rsvd and used ones show it.',
          },
        ],
      };
    }
    if (!off) return {};
    return {
      found: [
        {
          object: 'huge_pages',
          title: `${size(bytes)} of shared memory do without huge pages`,
          rationale:
            'Each connection has page tables of its own for all of it (8 bytes for 4 kB: 16 MB for 8 GB, once it has touched it), and the TLB misses more often. With many connections that is gigabytes.',
          severity: 'low',
          evidence: [
            measured('shared_buffers', bytes, 'bytes', 'pg_settings'),
            settingEvidence(asked),
            measured('huge_pages_status', status ?? 'not told before 17', null, 'pg_settings'),
          ],
          remedy: [
            'SHOW shared_memory_size_in_huge_pages; (15 and newer) gives vm.nr_hugepages for the host; then huge_pages = try or on, and a restart.',
          ],
          needs: 'restart',
          yields_to: ['setting huge_pages'],
        },
      ],
    };
  },
);
