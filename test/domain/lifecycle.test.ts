import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  applyPolicySchema,
  BY_HAND_ACTOR,
  type Change,
  defaultPolicy,
  lifecycleMarkdown,
  nextState,
  type RecommendationEvent,
  type RecommendationState,
  recommendationStates,
  recommendationTransitions,
  refusesAuto,
  refusesRevert,
  statesBefore,
} from '../../src/domain/index.ts';

describe('the table of states', () => {
  it('is the one that docs/apply.md shows', async () => {
    const docs = await readFile(fileURLToPath(new URL('../../docs/apply.md', import.meta.url)), 'utf8');
    expect(docs).toContain(lifecycleMarkdown());
  });

  it('reaches every state from open, and leaves none but those that end', () => {
    const reached = new Set<RecommendationState>(['open']);
    for (const state of reached) {
      for (const to of Object.values(recommendationTransitions[state])) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...recommendationStates].sort());
    const ends = recommendationStates.filter(
      (state) => Object.keys(recommendationTransitions[state]).length === 0,
    );
    expect(ends).toEqual(['succeeded', 'inconclusive']);
  });

  it('lets nothing be applied that was not approved, on any path', () => {
    expect(statesBefore('start_apply').sort()).toEqual(['approved', 'scheduled']);
    expect(statesBefore('schedule')).toEqual(['approved']);
    expect(statesBefore('approve')).toEqual(['open']);
    // Every way into applying, walked backwards, passes approve.
    for (const state of recommendationStates) {
      for (const [event, to] of Object.entries(recommendationTransitions[state])) {
        expect(nextState(state, event as RecommendationEvent)).toBe(to);
        if (to === 'approved') expect(['approve', 'unschedule']).toContain(event);
        if (to === 'applying') expect(event).toBe('start_apply');
      }
    }
  });
});

describe('a policy that approves by itself', () => {
  const analyze: Change = { kind: 'analyze', schema: 'app', table: 't' };
  const create: Change = {
    kind: 'index.create',
    index: {
      schema: 'app',
      table: 't',
      name: 'i',
      method: 'btree',
      unique: false,
      keys: [],
      include: [],
      where: null,
      options: {},
    },
  };
  const auto = (over: Record<string, unknown> = {}, top: Record<string, unknown> = {}) =>
    applyPolicySchema.parse({
      mode: 'auto',
      production: false,
      auto: { kinds: ['analyze', 'index.create'], max_size_bytes: 1000, ...over },
      ...top,
    });
  it.each([
    ['is manual by default', defaultPolicy, analyze, null, 'policy_manual'],
    ['within its limits', auto(), analyze, null, null],
    ['never in production', auto({}, { production: true }), analyze, null, 'policy_production'],
    [
      'in production where an admin switched it on',
      auto({}, { production: true, auto_in_production: true }),
      analyze,
      null,
      null,
    ],
    ['not of another kind', auto({ kinds: ['vacuum'] }), analyze, null, 'policy_kind'],
    ['a small index', auto(), create, 1000, null],
    ['not a large one', auto(), create, 1001, 'policy_size'],
    ['not one of unknown size', auto(), create, null, 'policy_size'],
    ['a table by its schema', auto({ tables: ['app.*'] }), analyze, null, null],
    ['not another table', auto({ tables: ['app.other'] }), analyze, null, 'policy_table'],
    ['not an excepted one', auto({ except_tables: ['app.t'] }), analyze, null, 'policy_table'],
    ['not without a person in dry_run', auto({}, { mode: 'dry_run' }), analyze, null, 'policy_manual'],
  ])('%s', (_, policy, change, size, code) => {
    expect(refusesAuto(policy, change, size)?.code ?? null).toBe(code);
  });

  it.each([
    ['proposes by default', {}, create, 'policy', false, 'policy_revert'],
    [
      'not with the mode auto alone',
      { mode: 'auto', auto: { kinds: ['index.create'] } },
      create,
      'policy',
      false,
      'policy_revert',
    ],
    [
      'never in production',
      { revert: 'perform', production: true },
      create,
      'anna',
      false,
      'policy_production',
    ],
    [
      'in production where an admin switched it on',
      { revert: 'perform', production: true, auto_in_production: true },
      create,
      'anna',
      false,
      null,
    ],
    ['with consent', { revert: 'perform' }, create, 'anna', false, null],
    ['not what a person did by hand', { revert: 'perform' }, create, BY_HAND_ACTOR, false, 'policy_by_hand'],
    ['not a way back', { revert: 'perform' }, create, 'policy', true, 'policy_revert_again'],
    [
      'not what it cannot apply',
      { revert: 'perform' },
      { kind: 'finding' } as Change,
      'anna',
      false,
      'policy_kind',
    ],
  ])('takes back: %s', (_, given, change, actor, was_revert, code) => {
    const policy = applyPolicySchema.parse({ production: false, ...given });
    expect(refusesRevert(policy, change, { actor, was_revert })?.code ?? null).toBe(code);
  });

  it('needs limits, and excludes four eyes', () => {
    expect(applyPolicySchema.safeParse({ mode: 'auto' }).success).toBe(false);
    expect(
      applyPolicySchema.safeParse({ mode: 'auto', auto: { kinds: ['analyze'] }, four_eyes: true }).success,
    ).toBe(false);
    expect(applyPolicySchema.safeParse({ windows: 'always' }).success).toBe(false);
    expect(applyPolicySchema.safeParse({ unknown: 1 }).success).toBe(false);
  });
});
