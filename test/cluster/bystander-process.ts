/**
 * The clients that do nothing wrong, in a process of their own so that no other client's work
 * counts as waiting. For each port in the arguments: one connection for each of the questions in
 * them, with one command at a time and a pause behind it. The parent disconnects to end it.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answers, Question } from './bystanders.ts';

const PAUSE_MS = 3;
const QUESTIONS: Record<Question, string> = {
  PING: 'PING\r\n',
  // Of a key that nobody writes meanwhile: a read waits for the writes of its key.
  GET: 'GET bystander:read\r\n',
  SET: 'SET bystander:written 1\r\n',
};

const [host = '', questions = '', ...ports] = process.argv.slice(2);
const lines: Line[] = [];

class Line {
  readonly #port: number;
  readonly #question: Question;
  #tookMs: number[] = [];
  #failures: string[] = [];
  /** Of the question that waits for its answer. */
  #askedMs: number | undefined;

  constructor(port: number, question: Question) {
    this.#port = port;
    this.#question = question;
  }

  async run(): Promise<void> {
    const socket = connect(this.#port, host).setNoDelay(true);
    let text = '';
    let settle: (reply: string) => void = () => undefined;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      // A bulk string has two lines.
      const newlines = text.startsWith('$') && !text.startsWith('$-') ? 2 : 1;
      if (text.split('\r\n').length > newlines) settle(text);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => settle('-closed by the node'));
    while (!socket.destroyed) {
      const reply = new Promise<string>((answer) => {
        settle = answer;
      });
      text = '';
      this.#askedMs = performance.now();
      socket.write(QUESTIONS[this.#question]);
      const got = await reply;
      this.#tookMs.push(performance.now() - this.#askedMs);
      this.#askedMs = undefined;
      if (got.startsWith('-')) this.#failures.push(got.trim());
      await sleep(PAUSE_MS);
    }
  }

  /** Takes the times since the last call; a question still open counts as it stands. */
  take(): Answers {
    if (this.#askedMs !== undefined) {
      this.#tookMs.push(performance.now() - this.#askedMs);
      this.#askedMs = performance.now();
    }
    const tookMs = this.#tookMs.sort((a, b) => a - b);
    const failures = this.#failures;
    this.#tookMs = [];
    this.#failures = [];
    return { port: this.#port, question: this.#question, tookMs, failures };
  }
}

process.on('message', () => process.send?.(lines.map((line) => line.take())));
process.on('disconnect', () => process.exit());

for (const port of ports.map(Number)) {
  for (const question of questions.split(',') as Question[]) {
    const line = new Line(port, question);
    lines.push(line);
    void line.run();
  }
}
