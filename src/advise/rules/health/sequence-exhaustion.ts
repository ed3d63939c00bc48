/** Sequences near their last value. */
import { quoteQualified, type SequenceRow } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { exhaustionSeverity, shareUsed } from '../../health/exhaustion.ts';
import { percent } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'sequence-exhaustion',
  'A sequence comes near its end',
  'Share of the values from min_value to max_value (descending ones: the other way) that are behind last_value: medium from 75 %, ' +
    'high from 90 %, critical from 98 %. Quiet for sequences that cycle, and where last_value is not visible (a limit of ' +
    'the snapshot says so). Where the column is smaller than its sequence: health/key-exhaustion.',
  ({ snapshot }) => ({
    found: snapshot.schema.sequences.flatMap((sequence) => {
      if (sequence.cycle || sequence.last_value === null) return [];
      const share = shareUsed(sequence);
      const severity = exhaustionSeverity(share);
      if (severity === null) return [];
      const name = `${sequence.schema}.${sequence.name}`;
      const table = snapshot.tables.find(({ oid }) => oid === sequence.owner_table_oid);
      const owner = table ? `${table.schema}.${table.name}.${sequence.owner_column}` : null;
      const up = !sequence.increment_by.startsWith('-');
      return [
        {
          object: name,
          title: `The sequence ${name} has used ${percent(share)} of its values`,
          rationale: `At its end nextval() fails, and with it every INSERT that needs a value${owner ? ` into ${owner}` : ''}.`,
          severity,
          evidence: [
            measured('last value', sequence.last_value, null, 'pg_sequences.last_value'),
            measured(
              up ? 'max_value' : 'min_value',
              up ? sequence.max_value : sequence.min_value,
              null,
              'pg_sequence',
            ),
            measured('type', sequence.data_type, null, 'pg_sequence.seqtypid'),
            measured('owned by', owner ?? 'no column', null, 'pg_depend'),
            computed(
              'used',
              share,
              'share',
              up ? '(last − min) ÷ (max − min)' : '(max − last) ÷ (max − min)',
            ),
          ],
          remedy: remedyOf(sequence, up),
        },
      ];
    }),
  }),
);

/** Least and greatest value of the types that a sequence can have: where it ends there, nobody chose its end. */
const ENDS: Record<string, [least: string, greatest: string]> = {
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
};

/** A wider type moves only an end that is the old type's own (init_params() of sequence.c). */
function remedyOf(sequence: SequenceRow, up: boolean): string[] {
  const name = quoteQualified(sequence.schema, sequence.name);
  const [least, greatest] = ENDS[sequence.data_type] ?? [];
  const [end, natural, word] = up
    ? [sequence.max_value, greatest, 'MAXVALUE']
    : [sequence.min_value, least, 'MINVALUE'];
  if (end !== natural) {
    return [`ALTER SEQUENCE ${name} NO ${word};  -- somebody set its end to ${end}: see why first`];
  }
  if (sequence.data_type === 'bigint') {
    return [
      'It has used up what bigint holds: let it begin again where values were freed, or at the other sign.',
    ];
  }
  return [
    `ALTER SEQUENCE ${name} AS bigint;  -- a moment`,
    'The column as well: ALTER COLUMN … TYPE bigint rewrites the table under AccessExclusiveLock; with little time left add a bigint column, fill it in batches and swap. Foreign keys to it, too.',
  ];
}
