import { expect, test } from 'vitest';
import { runRules } from '../../src/advise/engine.ts';
import { findingDraft } from '../../src/advise/health/finding.ts';
import { TAKEN_OF_BUDGET } from '../../src/advise/index-advisor/draft-evidence.ts';
import { PgLuthierError, type Rule, type RuleResult } from '../../src/domain/index.ts';
import { btree } from '../support/definitions.ts';
import { contextOf, snapshotOf } from '../support/snapshot-builder.ts';

function ruleThat(id: string, evaluate: Rule['evaluate']): Rule {
  return { id, area: 'health', title: id, description: id, evaluate };
}

const rejecting = (candidate: string): RuleResult => ({
  recommendations: [],
  rejections: [{ rule: 'health/a', candidate, code: 'c', reason: 'r' }],
  limits: [],
});

test('gathers what all rules give, in their order, and tells which one is at work', async () => {
  const told: string[] = [];
  const result = await runRules(
    [
      ruleThat('health/a', () => rejecting('first')),
      ruleThat('health/b', async () => ({ ...rejecting('second'), coverage: coverage() })),
    ],
    contextOf(snapshotOf(), { progress: (message) => told.push(message) }),
  );
  expect(result.rejections.map((item) => item.candidate)).toEqual(['first', 'second']);
  expect(result.coverage).toEqual(coverage());
  expect(told).toEqual(['rule 1 of 2: health/a', 'rule 2 of 2: health/b']);
});

test('a drop that one rule leaves to another is no rejection once that one recommends it', async () => {
  const drop = {
    ...findingDraft({
      rule: 'health/b',
      key: 'index.drop public.again',
      title: 'again is there twice',
      rationale: 'Twice.',
      severity: 'low',
      evidence: [],
      restart: false,
      notes: [],
    }),
    change: {
      kind: 'index.drop' as const,
      schema: 'public',
      table: 't',
      name: 'again',
      definition: 'CREATE INDEX again ON public.t USING btree (id)',
    },
  };
  const left = (name: string) => ({
    rule: 'health/a',
    candidate: `drop public.${name}`,
    code: 'duplicate',
    reason: 'r',
    key: `index.drop public.${name}`,
  });
  const result = await runRules(
    [
      ruleThat('health/a', () => ({
        recommendations: [],
        rejections: [left('again'), left('other')],
        limits: [],
      })),
      ruleThat('health/b', () => ({ recommendations: [drop], rejections: [], limits: [] })),
    ],
    contextOf(snapshotOf()),
  );
  expect(result.rejections.map(({ candidate }) => candidate)).toEqual(['drop public.other']);
});

const coverage = () => ({
  analysed: ['q'],
  not_analysed: [],
  cost_before: 2,
  cost_after: 1,
  cost_floor: 1,
  cost_floor_is_estimate: false,
  concluded: 0,
});

test('a rule that throws, or rejects, is a limit; the others still run', async () => {
  const failed: unknown[] = [];
  const secret = new TypeError("cannot read 'ssn' of customer 4711");
  const result = await runRules(
    [
      ruleThat('health/throws', () => {
        throw secret;
      }),
      ruleThat('health/refuses', async () => {
        throw new PgLuthierError({ code: 'x', status: 422, message: 'no statistics', remedy: 'ANALYZE' });
      }),
      ruleThat('health/works', () => rejecting('kept')),
    ],
    contextOf(snapshotOf()),
    (rule, error) => failed.push([rule.id, error]),
  );
  expect(result.rejections.map((item) => item.candidate)).toEqual(['kept']);
  expect(result.limits).toEqual([
    {
      scope: 'health/throws',
      code: 'rule_failed',
      message: expect.stringContaining('health/throws'),
      remedy: expect.stringContaining('report'),
    },
    {
      scope: 'health/refuses',
      code: 'rule_failed',
      message: 'The rule health/refuses failed: no statistics',
      remedy: 'ANALYZE',
    },
  ]);
  // What a defect says may hold the user's data: it goes to the log only.
  expect(JSON.stringify(result)).not.toContain('4711');
  expect(failed).toContainEqual(['health/throws', secret]);
});

test('what another rule says better is said once, by that rule; alone it is said', async () => {
  const finding = (rule: string, key: string) =>
    findingDraft({
      rule,
      key,
      title: `${rule} on ${key}`,
      rationale: 'r',
      severity: 'low',
      evidence: [{ name: 'n', value: 1, unit: null, source: 's', level: 'measured', formula: null }],
      restart: false,
      notes: [],
    });
  const result = (drafts: RuleResult['recommendations'], yields: RuleResult['yields'] = new Map()) => ({
    recommendations: drafts,
    rejections: [],
    limits: [],
    yields,
  });
  const symptom = ruleThat('health/symptom', () =>
    result(
      [finding('health/symptom', 'a'), finding('health/symptom', 'b'), finding('health/symptom', 'c')],
      new Map([
        ['a', ['cause of a']],
        ['b', ['cause of a', 'cause of b']],
      ]),
    ),
  );
  const cause = ruleThat('health/cause', () => result([finding('health/cause', 'cause of a')]));
  const keys = (from: RuleResult) => from.recommendations.map(({ key }) => key);
  const both = await runRules([symptom, cause], contextOf(snapshotOf()));
  // b is only told in part elsewhere.
  expect(keys(both)).toEqual(['b', 'c', 'cause of a']);
  expect(both.rejections).toEqual([
    {
      rule: 'health/symptom',
      candidate: 'health/symptom on a',
      code: 'said_elsewhere',
      reason: 'health/cause says it: health/cause on cause of a',
      key: 'a',
    },
  ]);
  expect(keys(await runRules([symptom], contextOf(snapshotOf())))).toEqual(['a', 'b', 'c']);
});

test('a budget of bytes holds for the new indexes of all rules; those chosen within it come first', async () => {
  const index = (rule: string, key: string, size_bytes: number, saved: number) => {
    const finding = { rule, key, title: key, rationale: 'r', severity: 'low' as const, evidence: [] };
    const draft = findingDraft({ ...finding, restart: false, notes: [] });
    const estimate = { ...draft.estimate, size_bytes, cost_before: saved, cost_after: 0 };
    return {
      ...draft,
      change: { kind: 'index.create' as const, index: btree('t', ['a'], { name: key }) },
      estimate,
    };
  };
  const giving = (id: string, ...recommendations: RuleResult['recommendations']) =>
    ruleThat(id, () => ({ recommendations, rejections: [], limits: [] }));
  const rules = [
    giving('index/other', index('index/other', 'poor', 40, 10), index('index/other', 'rich', 40, 100)),
    giving('index/missing', index('index/missing', 'chosen', 50, 1)),
  ];
  const within = await runRules(rules, contextOf(snapshotOf(), { index_budget_bytes: 100 }));
  expect(within.recommendations.map(({ key }) => key)).toEqual(['rich', 'chosen']);
  expect(within.rejections).toMatchObject([{ key: 'poor', code: 'over_budget' }]);
  const all = await runRules(rules, contextOf(snapshotOf()));
  expect(all.recommendations.map(({ key }) => key)).toEqual(['poor', 'rich', 'chosen']);
  // Room that statistics leave open of the chosen one is not there for others.
  const open = { unit: 'bytes', source: 'size model', level: 'estimated' as const, formula: null };
  const evidence = [{ ...open, name: TAKEN_OF_BUDGET, value: 70 }];
  const uncertain = { ...index('index/missing', 'chosen', 50, 1), evidence };
  const reserved = await runRules(
    [...rules.slice(0, 1), giving('index/missing', uncertain)],
    contextOf(snapshotOf(), { index_budget_bytes: 100 }),
  );
  expect(reserved.recommendations.map(({ key }) => key)).toEqual(['chosen']);
});
