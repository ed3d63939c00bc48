/** effective_io_concurrency from the disk type, on versions whose default waits for each page. */
import type { Rule } from '../../../domain/index.ts';
import { diskBaseline } from '../../settings/baseline.ts';
import {
  diskInput,
  isLimit,
  limited,
  measured,
  rejected,
  setting,
  settingNotVisible,
} from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/effective-io-concurrency';
const NAME = 'effective_io_concurrency';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'effective_io_concurrency does not fit the disks',
  description:
    'How many pages a bitmap heap scan asks for ahead: 200 and more for disks without moving parts, 2 for spinning ones ' +
    '(pgtune). Quiet from 18 on, whose default of 16 is left alone without evidence of I/O waits, and on platforms ' +
    'whose default is 0: they lack posix_fadvise, and up to 17 refuse any other value.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const { server_version, server_version_num } = context.snapshot.server;
    const major = Math.floor(server_version_num / 10_000);
    if (row.boot_val === '0' || row.max_val === '0') {
      return reject(
        'platform_unsupported',
        'the platform of this server cannot read ahead (its default is 0)',
      );
    }
    if (major >= 18) {
      return reject(
        'default_is_sound',
        `the default of 18 is 16; ${row.setting} is left alone without evidence of I/O waits`,
      );
    }
    const disk = diskInput(context);
    if (isLimit(disk)) return limited(disk);
    const wanted = diskBaseline(disk.type, major)[NAME];
    if (!wanted) throw new Error(`no ${NAME} for ${disk.type} on ${major}`);
    return propose(context, {
      rule: ID,
      name: NAME,
      ...wanted,
      why: `Bitmap heap scans ask ${disk.type} disks for ${row.setting} page(s) ahead; they serve many at once.`,
      unless: 'Statements that use no bitmap scans, or a database that is cached, gain nothing by it.',
      severity: 'low',
      confidence: 0.6,
      direction: 'raise',
      observed: false,
      evidence: [disk.evidence, measured('server version', server_version, null, 'server_version')],
    });
  },
};
