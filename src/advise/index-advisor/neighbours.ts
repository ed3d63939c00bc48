/** One more index beside a set: which could be worth it, by the bounds, and what the planner says of them. */
import { askBeside } from './beside.ts';
import type { Room } from './room.ts';
import type { Weighed } from './search/set-model.ts';
import type { Contender, SelectionInput } from './selection.ts';
import { mayServe } from './serving.ts';
import { membersByTable, standsFor } from './stand-in.ts';
import type { AdvisorStatement } from './statement.ts';

/** Neighbours of a set that are asked about in one round, the most promising first: so many, or a share of all. */
const NEIGHBOURS = 96;
const SHARE_OF_NEIGHBOURS = 1 / 24;
/**
 * Statements times neighbours that are asked about in one round at most, those with the most hope first: of large
 * workloads the set has changed by what these show before the others' turn comes.
 */
const MOST_PAIRS = 600;

/** A contender that is not in the set. */
interface Neighbour {
  contender: Contender;
  /** Statements whose plan might use it beside the set. */
  serves: AdvisorStatement[];
  /** What it has to earn: its charge, and what would have to leave for its bytes. */
  cost: number;
}

/**
 * One more index beside the set: asked about where the bounds leave room for it to pay, which is where it may work
 * together with members in a way that no plan has shown yet. What the planner answers about some together makes the
 * bounds of each tighter, so that they are looked at again before the next question.
 * @returns how many of them there was something to ask about.
 */
export async function askNeighbours(
  input: SelectionInput,
  weighed: readonly Weighed[],
  set: ReadonlySet<string>,
  room: Room,
): Promise<number> {
  const { book, contenders, deadline } = input;
  const around = neighboursOf(input, weighed, set, room);
  const beside = new Set(set);
  /** Calls × what it could save at most, and where that is not known. */
  const hopesOf = ({ contender: { handle }, serves }: Neighbour) => {
    beside.add(handle);
    const hopes = serves.map((statement) => ({
      statement,
      hope: book.couldSave(statement, set, beside) * statement.query.calls,
      isOpen: book.known(statement, beside) === null,
    }));
    beside.delete(handle);
    return {
      most: hopes.reduce((sum, { hope }) => sum + hope, 0),
      open: hopes.filter(({ isOpen, hope }) => isOpen && hope > 0),
    };
  };
  const promising = around
    .map((neighbour) => ({ neighbour, ...hopesOf(neighbour) }))
    .filter(({ neighbour, most, open }) => open.length > 0 && most > neighbour.cost)
    .sort((a, b) => b.most - b.neighbour.cost - (a.most - a.neighbour.cost))
    .slice(0, Math.max(NEIGHBOURS, SHARE_OF_NEIGHBOURS * contenders.length));
  const pairs = promising.flatMap(({ neighbour: { contender, cost }, most, open }) =>
    // Of what it could save with a statement, the part beyond what it has to earn.
    open.map(({ statement, hope }) => ({
      handle: contender.handle,
      statement,
      hope: hope * (1 - cost / most),
    })),
  );
  const first =
    pairs.length > MOST_PAIRS ? pairs.sort((a, b) => b.hope - a.hope).slice(0, MOST_PAIRS) : pairs;
  const wanted = new Map<AdvisorStatement, string[]>();
  for (const { handle, statement } of first)
    wanted.set(statement, [...(wanted.get(statement) ?? []), handle]);
  const stillPromising = (handles: ReadonlySet<string>) => {
    const asked = around.filter(({ contender }) => handles.has(contender.handle));
    const worth = asked.filter((neighbour) => hopesOf(neighbour).most > neighbour.cost);
    return new Set(worth.map(({ contender }) => contender.handle));
  };
  await askBeside(book, set, wanted, deadline, stillPromising);
  return promising.length;
}

/** Contenders that a statement's plan might use beside the set, with what each has to earn. */
function neighboursOf(
  { book, contenders, statements }: SelectionInput,
  weighed: readonly Weighed[],
  set: ReadonlySet<string>,
  room: Room,
): Neighbour[] {
  const members = membersByTable(contenders, set);
  const byHandle = new Map(contenders.map((contender, position) => [contender.handle, position]));
  const around = new Map<number, Neighbour>();
  for (const statement of statements) {
    if (!book.known(statement, set)) continue;
    for (const handle of book.relevant(statement)) {
      const position = byHandle.get(handle);
      const contender = contenders[position ?? -1];
      if (position === undefined || contender === undefined || set.has(handle)) continue;
      if (book.isPassedOver(statement, handle, set) || !mayServe(contender, statement, book.skips)) continue;
      const known = around.get(position);
      if (known) known.serves.push(statement);
      else {
        const { size_bytes = 0, charge = 0 } = weighed[position] ?? {};
        const cost = charge + room.costOf(size_bytes, standsFor(contender, members));
        around.set(position, { contender, serves: [statement], cost });
      }
    }
  }
  return [...around.values()];
}
