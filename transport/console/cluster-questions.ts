/**
 * Questions to nodes about themselves: this node answers its own, and asks the others over the
 * links' admin channel, with the user and the role of who asks. Answers of peers are judged by
 * shape only: nodes trust each other.
 */
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { type Args, isArgs } from './console-protocol.ts';

/** The user that asks; undefined: not logged in. */
export interface Asker {
  readonly user: string | undefined;
  readonly role: string | undefined;
}

export interface NodeQuestion extends Asker {
  readonly what: string;
  readonly args: Args;
}

export const NOBODY: Asker = { user: undefined, role: undefined };

/** @throws Error whose message is the reason. */
export type AnswerHere = (question: NodeQuestion) => unknown;

/** Calls back once; undefined: there is no answer. */
export type AskPeer = (
  peer: number,
  question: Uint8Array,
  done: (answer: Uint8Array | undefined) => void,
) => void;

interface ClusterQuestionsOptions {
  readonly self: number;
  readonly nodes: readonly number[];
  readonly answerHere: AnswerHere;
  readonly askPeer: AskPeer;
  /** Nodes do not vouch for the users of each other: a peer that asks this is refused. */
  readonly isForHere: (what: string) => boolean;
}

const NO_ANSWER = 'it is down, cut off or overloaded';

export class ClusterQuestions {
  readonly #options: ClusterQuestionsOptions;

  constructor(options: ClusterQuestionsOptions) {
    this.#options = options;
  }

  /** Of all nodes; a text says why there is none. */
  async all(question: NodeQuestion): Promise<Record<number, unknown>> {
    const { nodes } = this.#options;
    const answers = await Promise.all(nodes.map((node) => this.one(node, question)));
    return Object.fromEntries(nodes.map((node, index) => [node, answers[index]]));
  }

  async one(node: number, question: NodeQuestion): Promise<unknown> {
    const { self, nodes, answerHere, askPeer } = this.#options;
    if (!nodes.includes(node)) return 'there is no such node';
    if (node === self) {
      try {
        return await answerHere(question);
      } catch (error) {
        return textOf(error);
      }
    }
    const bytes = encodeCbor(question);
    const answer = await new Promise<Uint8Array | undefined>((resolve) => {
      askPeer(node, bytes, resolve);
    });
    return answer === undefined ? NO_ANSWER : valueIn(answer);
  }

  /** A peer's question; `done` is given the answer in CBOR. */
  answerPeer(bytes: Uint8Array, done: (answer: Uint8Array) => void): void {
    const question = questionIn(bytes);
    if (question === undefined) return done(encodeCbor({ error: 'a question that is malformed' }));
    if (this.#options.isForHere(question.what)) {
      return done(encodeCbor({ error: 'it is answered to consoles of this node alone' }));
    }
    new Promise((resolve) => {
      resolve(this.#options.answerHere(question));
    }).then(
      (value) => done(encodeCbor({ value })),
      (error: unknown) => done(encodeCbor({ error: textOf(error) })),
    );
  }
}

function valueIn(answer: Uint8Array): unknown {
  try {
    const { value, error } = decodeCbor(answer) as { value?: unknown; error?: unknown };
    return typeof error === 'string' ? error : value;
  } catch {
    return 'its answer is no CBOR';
  }
}

function questionIn(bytes: Uint8Array): NodeQuestion | undefined {
  let value: unknown;
  try {
    value = decodeCbor(bytes);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { what, args, user, role } = value as Readonly<Record<string, unknown>>;
  if (typeof what !== 'string' || !isArgs(args)) return undefined;
  const text = (part: unknown): string | undefined => (typeof part === 'string' ? part : undefined);
  return { what, args, user: text(user), role: text(role) };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
