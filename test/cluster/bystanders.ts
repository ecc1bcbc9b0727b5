/** How long others wait for their answers, on every node, while one client does its worst. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST, type TestCluster } from './harness.ts';

export type Question = 'PING' | 'GET' | 'SET';
const QUESTIONS: readonly Question[] = ['PING', 'GET', 'SET'];

/** Of one connection. */
export interface Answers {
  readonly port: number;
  readonly question: Question;
  /** Ascending. */
  readonly tookMs: readonly number[];
  /** Error replies, and the end of the connection. */
  readonly failures: readonly string[];
}

export class Bystanders {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** One connection for each question on every node. Resolves when all have had answers. */
  static async start(cluster: TestCluster, questions = QUESTIONS): Promise<Bystanders> {
    const path = join(import.meta.dirname, 'bystander-process.ts');
    const ports = cluster.nodes.map(({ redisPort }) => String(redisPort));
    const child = fork(path, [HOST, questions.join(), ...ports], { execArgv: ['--import', 'tsx'] });
    const bystanders = new Bystanders(child);
    for (;;) {
      const answers = await bystanders.take();
      await sleep(50);
      if (answers.length > 0 && answers.every(({ tookMs }) => tookMs.length > 1)) break;
    }
    return bystanders;
  }

  /** Takes the times since the last call. */
  async take(): Promise<readonly Answers[]> {
    const told = once(this.#process, 'message');
    this.#process.send('take');
    const [answers] = await told;
    return answers as readonly Answers[];
  }

  async stop(): Promise<void> {
    const gone = once(this.#process, 'exit');
    this.#process.disconnect();
    await gone;
  }
}

/** The longest of the nodes: of each connection the time that `share` of its answers keep. */
export function worstMs(answers: readonly Answers[], question: Question, share: number): number {
  const ofQuestion = answers.filter((each) => each.question === question);
  return Math.max(
    ...ofQuestion.map(({ tookMs }) => tookMs[Math.ceil(tookMs.length * share) - 1] ?? Infinity),
  );
}
