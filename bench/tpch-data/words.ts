/** Word lists of clause 4.2.2.13 and the grammar of 4.2.2.14, with the weights of the reference generator. */

const list = (words: string) => words.split(' ').map((word) => word.replaceAll('_', ' '));

/** Of part names. */
export const COLOURS = list(
  'almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse ' +
    'chiffon chocolate coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest frosted ' +
    'gainsboro ghost goldenrod green grey honeydew hot indian ivory khaki lace lavender lawn lemon light lime linen ' +
    'magenta maroon medium metallic midnight mint misty moccasin navajo navy olive orange orchid pale papaya peach ' +
    'peru pink plum powder puff purple red rose rosy royal saddle salmon sandy seashell sienna sky slate smoke snow ' +
    'spring steel tan thistle tomato turquoise violet wheat white yellow',
);
export const TYPES = [
  list('STANDARD SMALL MEDIUM LARGE ECONOMY PROMO'),
  list('ANODIZED BURNISHED PLATED POLISHED BRUSHED'),
  list('TIN NICKEL BRASS STEEL COPPER'),
] as const;
export const CONTAINERS = [list('SM LG MED JUMBO WRAP'), list('CASE BOX BAG JAR PKG PACK CAN DRUM')] as const;
export const SEGMENTS = list('AUTOMOBILE BUILDING FURNITURE MACHINERY HOUSEHOLD');
export const PRIORITIES = list('1-URGENT 2-HIGH 3-MEDIUM 4-NOT_SPECIFIED 5-LOW');
export const INSTRUCTIONS = list('DELIVER_IN_PERSON COLLECT_COD NONE TAKE_BACK_RETURN');
export const MODES = list('REG_AIR AIR RAIL SHIP TRUCK MAIL FOB');
export const REGIONS = list('AFRICA AMERICA ASIA EUROPE MIDDLE_EAST');
/** Name and region, by nation key. */
export const NATIONS: readonly [string, number][] = [
  ['ALGERIA', 0],
  ['ARGENTINA', 1],
  ['BRAZIL', 1],
  ['CANADA', 1],
  ['EGYPT', 4],
  ['ETHIOPIA', 0],
  ['FRANCE', 3],
  ['GERMANY', 3],
  ['INDIA', 2],
  ['INDONESIA', 2],
  ['IRAN', 4],
  ['IRAQ', 4],
  ['JAPAN', 2],
  ['JORDAN', 4],
  ['KENYA', 0],
  ['MOROCCO', 0],
  ['MOZAMBIQUE', 0],
  ['PERU', 1],
  ['CHINA', 2],
  ['ROMANIA', 3],
  ['SAUDI ARABIA', 4],
  ['VIETNAM', 2],
  ['RUSSIA', 3],
  ['UNITED KINGDOM', 3],
  ['UNITED STATES', 1],
];

/** Words that come as often as their weight says. */
export type Weighted = readonly [word: string, weight: number][];

const weighted = (heavy: string, light: string): Weighted => [
  ...list(heavy).map((entry): [string, number] => {
    const [word = '', weight = '1'] = entry.split('*');
    return [word, Number(weight)];
  }),
  ...list(light).map((word): [string, number] => [word, 1]),
];

/** Parts of speech: N noun, J adjective, D adverb, V verb, X auxiliary, P preposition, T terminator. */
export const SPEECH: Readonly<Record<string, Weighted>> = {
  N: weighted(
    'packages*40 requests*40 accounts*40 deposits*40 foxes*20 ideas*20 theodolites*20 pinto_beans*20 ' +
      'instructions*20 dependencies*10 excuses*10 platelets*10 asymptotes*10 courts*5 dolphins*5',
    'multipliers sauternes warthogs frets dinos attainments somas Tiresias patterns forges braids frays warhorses ' +
      'dugouts notornis epitaphs pearls tithes waters orbits gifts sheaves depths sentiments decoys realms pains ' +
      'grouches escapades hockey_players',
  ),
  J: weighted(
    'special*20 pending*20 unusual*20 express*20 regular*50 final*40 ironic*40 even*30 bold*20 silent*10',
    'furious sly careful blithe quick fluffy slow quiet ruthless thin close dogged daring brave stealthy permanent ' +
      'enticing idle busy',
  ),
  D: weighted(
    'furiously*50 slyly*50 carefully*50 blithely*40 quickly*30 fluffily*20',
    'sometimes always never slowly quietly ruthlessly thinly closely doggedly daringly bravely stealthily permanently ' +
      'enticingly idly busily regularly finally ironically evenly boldly silently',
  ),
  V: weighted(
    'sleep*20 wake*20 are*20 cajole*20 haggle*20 nag*10 use*10 boost*10 affix*5 detect*5 integrate*5',
    'maintain nod was lose sublate solve thrash promise engage hinder print x-ray breach eat grow impress mold poach ' +
      'serve run dazzle snooze doze unwind kindle play hang believe doubt',
  ),
  X: weighted(
    'do*1',
    'may might shall will would can could should ought_to must will_have_to shall_have_to could_have_to ' +
      'should_have_to must_have_to need_to try_to',
  ),
  P: weighted(
    'about*50 above*50 according_to*50 across*50 after*50 against*40 along*40 alongside_of*30 among*30 around*20 at*10',
    'atop before behind beneath beside besides between beyond by despite during except for from in_place_of inside ' +
      'instead_of into near of on outside over past since through throughout to toward under until up upon without ' +
      'with within',
  ),
  T: weighted('.*50', '; : ? ! --'),
};

/** Phrases as parts of speech; a comma clings to the word before. */
export const PHRASES: Readonly<Record<string, Weighted>> = {
  sentence: [
    ['NP VP T', 3],
    ['NP VP PP T', 3],
    ['NP VP NP T', 3],
    ['NP PP VP NP T', 1],
    ['NP PP VP PP T', 1],
  ],
  NP: [
    ['N', 10],
    ['J N', 20],
    ['J, J N', 10],
    ['D J N', 50],
  ],
  VP: [
    ['V', 30],
    ['X V', 1],
    ['V D', 40],
    ['X V D', 1],
  ],
  PP: [['P the NP', 1]],
};
