/** default_toast_compression: lz4 where the build has it and much is stored out of line. */
import type { Rule } from '../../../domain/index.ts';
import { limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { aboutMemory, GB } from '../../settings/units.ts';

const ID = 'settings/toast-compression';
const NAME = 'default_toast_compression';
const LEAST_BYTES = 1 * GB;
const LEAST_SHARE = 0.05;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Large values are compressed by pglz',
  description:
    'lz4, where pg_settings.enumvals has it, at least 1 GB lies in TOAST tables and that is 5 % of the database: it packs and unpacks several ' +
    'times as fast at about the same size (PostgreSQL 19 makes it the default). It is for values written from then on.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    if (row.setting === 'lz4') return reject('as_wanted', 'it is lz4 already');
    if (row.enumvals?.includes('lz4') !== true) {
      return reject('not_available', 'this server was built without lz4');
    }
    const toast = context.snapshot.tables.reduce((sum, { toast_bytes }) => sum + toast_bytes, 0);
    const all = context.snapshot.server.database_size_bytes;
    if (toast < LEAST_BYTES || (all !== null && toast < LEAST_SHARE * all)) {
      return reject('little_toast', `${aboutMemory(toast)} lie in TOAST tables`);
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value: 'lz4',
      formula: 'TOAST ≥ 1GB and ≥ 5 % of the database; pg_settings.enumvals has lz4',
      why: `${aboutMemory(toast)} lie in TOAST tables; lz4 reads and writes such values with less CPU.`,
      unless: 'Values that are compressed by the application already are stored as they are, either way.',
      severity: 'info',
      confidence: 0.5,
      direction: 'either',
      observed: false,
      evidence: [
        measured('bytes in TOAST tables', toast, 'bytes', 'pg_total_relation_size of them'),
        ...(all === null ? [] : [measured('size of this database', all, 'bytes', 'pg_database_size')]),
      ],
      notes: ['Values that are there keep their compression until they are written anew.'],
    });
  },
};
