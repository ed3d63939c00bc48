/** Text of the specification's grammar, out of which comments are cut, and text of random letters for addresses. */
import { drawsOf } from '../draws.ts';
import { PHRASES, SPEECH, type Weighted } from './words.ts';

/** Each word as often as its weight, so that one draw picks it. */
const spread = (words: Weighted) => words.flatMap(([word, weight]) => Array<string>(weight).fill(word));
const speech = new Map(Object.entries(SPEECH).map(([part, words]) => [part, spread(words)]));
const phrases = new Map(Object.entries(PHRASES).map(([part, forms]) => [part, spread(forms)]));

function pick(words: readonly string[], draw: () => number): string {
  return words[Math.floor(draw() * words.length)] ?? '';
}

function expand(part: string, draw: () => number): string {
  const forms = phrases.get(part);
  if (forms) {
    return pick(forms, draw)
      .split(' ')
      .map((inner) => expand(inner, draw))
      .join(' ');
  }
  const comma = part.endsWith(',');
  const words = speech.get(comma ? part.slice(0, -1) : part);
  return words ? pick(words, draw) + (comma ? ',' : '') : part;
}

/** Sentences of at least so many bytes, all ASCII. */
export function sentences(bytes: number): Buffer {
  const draw = drawsOf(42);
  const parts: string[] = [];
  for (let length = 0; length < bytes; ) {
    const sentence = `${expand('sentence', draw).replace(/ (?=[.;:?!]|--$)/g, '')} `;
    parts.push(sentence);
    length += sentence.length;
  }
  return Buffer.from(parts.join(''), 'latin1');
}

/** Characters of the specification's v-strings. */
export function letters(bytes: number): Buffer {
  const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,';
  const draw = drawsOf(43);
  const pool = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) pool[at] = alphabet.charCodeAt(Math.floor(draw() * alphabet.length));
  return pool;
}
