/** Traces of a transaction from all nodes, by one clock: a picture's facts, and for Perfetto. */
import { perfettoPieces } from '../trace/export-perfetto.ts';
import { type AlignedTrace, alignClocks, parseTraces } from '../trace/node-trace.ts';
import { storyOf, type TransactionStory } from '../trace/transaction-picture.ts';

/** By node; a text, in the place of a trace, is the reason why there is none. */
type Answers = Readonly<Record<number, unknown>>;

export interface TransactionAnswer extends TransactionStory {
  /** Times of two nodes may differ by so much. */
  readonly errorUs: number;
  /** By node: why it is not in the picture. */
  readonly missing: Readonly<Record<number, string>>;
}

/** @throws Error whose message is the reason why there is nothing to show */
export function transactionOf(answers: Answers, txn: string): TransactionAnswer {
  const aligned = alignedOf(answers);
  const story = storyOf(aligned.events, txn, aligned.errorUs);
  const missing = missingOf(answers);
  if (story === undefined) {
    const reasons = [...new Set(Object.values(missing))];
    throw new Error(reasons[0] ?? `no node remembers ${txn}: only slow ones are kept for long`);
  }
  return { ...story, errorUs: aligned.errorUs, missing };
}

export function perfettoOf(answers: Answers): { readonly text: string } {
  const { events, errorUs } = alignedOf(answers);
  return { text: [...perfettoPieces(events, { alignmentErrorUs: errorUs })].join('') };
}

function alignedOf(answers: Answers): AlignedTrace {
  const texts = Object.values(answers).flatMap((answer) => textIn(answer) ?? []);
  return alignClocks(parseTraces(texts.join('')));
}

function missingOf(answers: Answers): Record<number, string> {
  const missing = Object.entries(answers).filter(([, answer]) => typeof answer === 'string');
  return Object.fromEntries(missing.map(([node, reason]) => [Number(node), String(reason)]));
}

function textIn(answer: unknown): string | undefined {
  const { text } = (answer ?? {}) as { readonly text?: unknown };
  return typeof text === 'string' ? text : undefined;
}
