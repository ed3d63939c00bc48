/** What the log should tell when somebody asks in the morning why it was slow. */
import type { Rule, RuleContext, RuleResult } from '../../../domain/index.ts';
import { computed, rejected, setting } from '../../settings/facts.ts';
import { LOG_AUTOVACUUM_MS, LOG_LINE_PREFIX, LOG_TEMP_FILES_MB } from '../../settings/log-settings.ts';
import { logThreshold, MOST_PER_HOUR } from '../../settings/log-threshold.ts';
import { type Proposal, propose } from '../../settings/propose.ts';
import { MB } from '../../settings/units.ts';

const ID = 'settings/logging';

type Wanted = Pick<Proposal, 'name' | 'value' | 'formula' | 'why' | 'unless'> & Partial<Proposal>;

const SWITCHES: Wanted[] = [
  {
    name: 'log_checkpoints',
    value: 'on',
    formula: "PostgreSQL's default since 15",
    why: 'Without it nobody sees why checkpoints came and what they wrote.',
    unless: 'Nothing that is known: it costs a line a checkpoint.',
  },
  {
    name: 'log_lock_waits',
    value: 'on',
    formula: "PostgreSQL's default since 19",
    why: 'It says who waited longer than deadlock_timeout, and for whom.',
    unless: 'Applications that wait for each other by design fill the log.',
  },
  {
    name: 'log_temp_files',
    value: LOG_TEMP_FILES_MB * MB,
    formula: 'a choice: smaller files are not worth a line each',
    why: 'Statements that go to disk are logged with their text.',
    unless: 'A warehouse whose every statement spills wants a larger limit.',
  },
  {
    name: 'log_autovacuum_min_duration',
    value: LOG_AUTOVACUUM_MS,
    formula: 'a choice: shorter ones are seldom why something was slow',
    why: 'Vacuums that take long are logged with what they did and what they waited for.',
    unless: 'It is 10 min by default since 15; very many large tables may be reason to leave that.',
    direction: 'either',
  },
];

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'The log does not tell why it was slow',
  description:
    'log_checkpoints and log_lock_waits on, log_temp_files 10 MB, log_autovacuum_min_duration 1 min, log_line_prefix with role, database ' +
    'and application, and log_min_duration_statement at the smallest of 250 ms to 30 s that brings at most 600 lines an hour by the ' +
    "workload's means and deviations (Cantelli's inequality). Each only where nobody chose another value. Texts in the log hold " +
    'constants: that is said with it.',
  evaluate: (context) => {
    const whole: RuleResult = { recommendations: [], rejections: [], limits: [] };
    for (const result of [
      ...SWITCHES.map((wanted) => one(context, wanted)),
      statements(context),
      prefix(context),
    ]) {
      whole.recommendations.push(...result.recommendations);
      whole.rejections.push(...result.rejections);
      whole.limits.push(...result.limits);
    }
    return whole;
  },
};

function one(context: RuleContext, wanted: Wanted): RuleResult {
  return propose(context, {
    rule: ID,
    severity: 'info',
    confidence: 0.7,
    direction: 'either',
    observed: false,
    evidence: [],
    ...wanted,
  });
}

function statements(context: RuleContext): RuleResult {
  const { ms, per_hour } = logThreshold(context);
  const rate =
    per_hour === null
      ? []
      : [
          computed(
            'lines an hour at most',
            per_hour,
            'lines',
            'Σ calls × (1 where the mean is above, else σ² ÷ (σ² + (limit − mean)²)) by pg_stat_statements',
          ),
        ];
  return one(context, {
    name: 'log_min_duration_statement',
    value: ms,
    formula:
      per_hour === null
        ? '1 s: no rate of statements is known'
        : `the smallest step with at most ${MOST_PER_HOUR} lines an hour`,
    why: 'A statement that was slow once is in no average: the log has it with its time.',
    unless:
      'More slow statements than now, or a log that must not hold their constants, would speak for a larger one.',
    evidence: rate,
    notes: [
      'The log then holds texts with constants, people’s data among them: log_parameter_max_length cuts parameters; who reads the log reads those.',
    ],
  });
}

function prefix(context: RuleContext): RuleResult {
  const row = setting(context, 'log_line_prefix');
  const has = ['%u', '%d', '%a'].filter((part) => row?.setting.includes(part));
  // A format of its own, json or a service's, may carry them anyhow.
  if (has.length === 3 || context.snapshot.server.managed_service !== null) {
    const reason =
      has.length === 3 ? 'it names role, database and application' : 'the service has a format of its own';
    return rejected({ rule: ID, candidate: 'log_line_prefix', code: 'as_wanted', reason });
  }
  return one(context, {
    name: 'log_line_prefix',
    value: LOG_LINE_PREFIX,
    formula: 'time, process, role, database, application',
    why: 'Without role, database and application a line cannot be told from another’s.',
    unless:
      'A log analyser that is set up for another prefix, or log_destination csvlog or jsonlog, which has all of it.',
  });
}
