import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askBeside } from '../../../src/advise/index-advisor/beside.ts';
import { leanest } from '../../../src/advise/index-advisor/leanest.ts';
import { SetModel } from '../../../src/advise/index-advisor/search/set-model.ts';
import { SetState } from '../../../src/advise/index-advisor/search/set-state.ts';
import type { Contender, SelectionInput } from '../../../src/advise/index-advisor/selection.ts';
import type { AdvisorStatement } from '../../../src/advise/index-advisor/statement.ts';
import { build, HANDLES } from './known-ways.ts';

/** B-tree over columns of one table; after a plus sign what it only includes. */
function contender(handle: string, columns: string, pages: number): Contender {
  const [keys = '', include = ''] = columns.split('+');
  const bytes = pages * 8192;
  return {
    handle,
    table_oid: 1,
    size_bytes: bytes,
    reserved_bytes: bytes,
    merged_of: [],
    candidate: {
      definition: {
        method: 'btree',
        where: null,
        keys: keys.split(' ').map((column) => ({ column, expression: null })),
        include: include === '' ? [] : include.split(' '),
      },
    },
  } as unknown as Contender;
}

/** The set of the members once it was made lean, and what the planner was asked for that. */
async function lean(ways: { needs: string[]; saves: number }[], contenders: Contender[]) {
  const { book, all, engine } = build([{ calls: 1, ways }]);
  for (const one of all) for (const set of [[], ['a']]) await book.cost(one, set);
  const input = {
    book,
    statements: all,
    contenders,
    leaving: [],
    deadline: Number.POSITIVE_INFINITY,
  } as unknown as SelectionInput;
  const weighed = contenders.map((one) => ({ ...one, charge: 1 }));
  const of = (members: readonly number[]) => {
    const state = new SetState(new SetModel(all, weighed, new Map(), book, { max_regression: 0.1 }));
    state.add(members);
    return state;
  };
  const before = engine.asked;
  const state = await leanest(input, of([0]), of);
  return { set: state.members().map((place) => HANDLES[place]), asked: engine.asked - before };
}

describe('a member of the best set', () => {
  const wide = contender('a', 'shop placed+code', 100);

  it('gives way to one of fewer columns that is as good', async () => {
    const same = [
      { needs: ['a'], saves: 900 },
      { needs: ['b'], saves: 900 },
    ];
    expect(await lean(same, [wide, contender('b', 'shop placed', 40)])).toEqual({
      set: ['b'],
      asked: 1,
    });
    // Of the same bytes: a column less is less to write and to understand.
    expect((await lean(same, [wide, contender('b', 'shop placed', 100)])).set).toEqual(['b']);
  });

  it('stays where the other costs a statement more, is larger or may turn out larger, or has a column of its own', async () => {
    const dearer = [
      { needs: ['a'], saves: 900 },
      { needs: ['b'], saves: 890 },
    ];
    expect((await lean(dearer, [wide, contender('b', 'shop placed', 40)])).set).toEqual(['a']);
    const same = [
      { needs: ['a'], saves: 900 },
      { needs: ['b'], saves: 900 },
    ];
    expect((await lean(same, [wide, contender('b', 'shop placed', 101)])).set).toEqual(['a']);
    const open = { ...contender('b', 'shop placed', 40), reserved_bytes: 101 * 8192 };
    expect((await lean(same, [wide, open])).set).toEqual(['a']);
    const other = await lean(same, [wide, contender('b', 'shop region', 40)]);
    expect(other).toEqual({ set: ['a'], asked: 0 });
  });

  it('stays where it is decided on', async () => {
    const same = [
      { needs: ['a'], saves: 900 },
      { needs: ['b'], saves: 900 },
    ];
    const committed = { ...wide, standing: 'committed' as const };
    expect((await lean(same, [committed, contender('b', 'shop placed', 40)])).set).toEqual(['a']);
  });

  it('gives way to the leanest of several', async () => {
    const three = ['a', 'b', 'c'].map((one) => ({ needs: [one], saves: 900 }));
    const narrow = [contender('b', 'shop placed', 40), contender('c', 'shop', 40)];
    expect((await lean(three, [wide, ...narrow])).set).toEqual(['c']);
  });
});

describe('candidates of a group', () => {
  const ways = fc.array(
    fc.record({
      needs: fc.subarray(HANDLES, { minLength: 1, maxLength: 2 }),
      saves: fc.integer({ min: 1, max: 999 }),
    }),
    { maxLength: 8 },
  );

  it('are asked about as long as what the answers leave open could be worth it', async () => {
    await fc.assert(
      fc.asyncProperty(ways, fc.integer({ min: 0, max: 999 }), async (given, least) => {
        const { book, all, engine } = build([{ calls: 1, ways: given }]);
        const [one] = all as [AdvisorStatement];
        await book.cost(one, []);
        const couldSave = (handle: string) => book.couldSave(one, new Set(), new Set([handle]));
        const worth = (handles: ReadonlySet<string>) =>
          new Set([...handles].filter((handle) => couldSave(handle) > least));
        await askBeside(book, new Set(), new Map([[one, HANDLES]]), Number.POSITIVE_INFINITY, worth);
        const asked = engine.asked;
        for (const handle of HANDLES) {
          const saves = Math.max(
            0,
            ...given.filter(({ needs }) => needs.join() === handle).map((way) => way.saves),
          );
          // What saves enough is known; of what is not known the bound says that it does not.
          if (saves > least) expect(book.known(one, new Set([handle]))?.cost).toBe(1000 - saves);
          else
            expect(
              book.known(one, new Set([handle]))?.cost ?? 1000 - couldSave(handle),
            ).toBeGreaterThanOrEqual(1000 - Math.max(least, saves));
        }
        expect(engine.asked).toBe(asked);
      }),
      { numRuns: 200 },
    );
  });
});
