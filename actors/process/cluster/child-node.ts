/**
 * One `holostore node` process of a local cluster: spawned, watched, restarted with growing pauses,
 * stopped. Its standard input is a pipe that is never written to: when it closes, the parent is
 * gone and the child ends by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:tls';
import { httpGet } from '../../../transport/http/http-get.ts';
import { type SocketFactory, TCP } from '../../../transport/socket-factory.ts';
import { PARENT_VARIABLE } from '../node-command.ts';
import { EXIT_DATA_REFUSED } from '../running-node.ts';
import { LogFollower } from './log-follower.ts';

export interface ChildPlan {
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly logPath: string;
  readonly host: string;
  readonly redisPort: number;
  readonly peerPort: number;
  readonly adminPort: number;
  readonly adminTls: boolean;
}

/** To ask a child of this process how it is, with nothing to hide. */
const UNVERIFIED_TLS: Pick<SocketFactory, 'dial'> = {
  dial: ({ host, port }, connected) =>
    connect({ host, port, rejectUnauthorized: false }, connected),
};
const FOLLOW_MS = 200;
const READY_TIMEOUT_MS = 1000;
const RESTART_DELAY_MS_MIN = 500;
const RESTART_DELAY_MS_MAX = 10_000;
/** A node that lived this long starts again with the shortest pause. */
const STEADY_MS = 10_000;
/** A node that never got this far is not started again. */
const FAILED_STARTS_MAX = 5;
const STOP_TIMEOUT_MS = 15_000;
const CALLED_WRONGLY = 2;
const STRUCK_DOWN = /^signal SIG(SEGV|BUS|ILL|FPE|ABRT)$/;

export class ChildNode {
  readonly plan: ChildPlan;
  readonly #write: (line: string) => void;
  readonly #onGivenUp: (reason: string) => void;
  readonly #follower: LogFollower;
  readonly #followTimer: NodeJS.Timeout;
  #process: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #startedAtMs = 0;
  #quickEnds = 0;
  #everReady = false;
  #stopping = false;

  constructor(plan: ChildPlan, write: (line: string) => void, onGivenUp: (reason: string) => void) {
    this.plan = plan;
    this.#write = write;
    this.#onGivenUp = onGivenUp;
    this.#follower = new LogFollower(plan.logPath, (line) => write(`${plan.name} | ${line}`));
    this.#followTimer = setInterval(() => this.#follower.read(), FOLLOW_MS);
    this.#spawn();
  }

  /** Whether /readyz says yes. */
  async isReady(): Promise<boolean> {
    if (this.#process === undefined) return false;
    try {
      const { host, adminPort: port, adminTls } = this.plan;
      const sockets = adminTls ? UNVERIFIED_TLS : TCP;
      const { status } = await httpGet({ host, port }, '/readyz', READY_TIMEOUT_MS, { sockets });
      this.#everReady ||= status === 200;
      return status === 200;
    } catch {
      return false;
    }
  }

  /** Asks the node to stop and waits; after 15 s it is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#process;
    if (child !== undefined) {
      const gone = new Promise((settle) => child.once('close', settle));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await gone;
      clearTimeout(timer);
    }
    clearInterval(this.#followTimer);
    this.#follower.read();
  }

  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    clearInterval(this.#followTimer);
    this.#process?.kill('SIGKILL');
  }

  #spawn(): void {
    const [program = '', ...args] = this.plan.command;
    const log = openSync(this.plan.logPath, 'a');
    const child = spawn(program, args, {
      stdio: ['pipe', log, log],
      env: childEnvironment(process.env),
    });
    closeSync(log);
    this.#process = child;
    this.#startedAtMs = performance.now();
    let ended = false;
    const onEnd = (how: string, code: number | null): void => {
      if (ended) return;
      ended = true;
      this.#process = undefined;
      if (!this.#stopping) this.#restart(how, code);
    };
    child.stdin?.on('error', () => undefined);
    child.on('error', (error) => onEnd(error.message, null));
    child.on('exit', (code, signal) => {
      onEnd(signal === null ? `exit code ${code}` : `signal ${signal}`, code);
    });
  }

  #restart(how: string, code: number | null): void {
    this.#follower.read();
    const steady = performance.now() - this.#startedAtMs >= STEADY_MS;
    this.#quickEnds = steady ? 0 : this.#quickEnds + 1;
    const often = this.#quickEnds >= FAILED_STARTS_MAX;
    const hopeless = code === CALLED_WRONGLY || often;
    // A damaged file can kill the process without a word, and will do so again.
    const struckDown = often && STRUCK_DOWN.test(how);
    const refused = code === EXIT_DATA_REFUSED;
    if (refused || struckDown || (!this.#everReady && hopeless)) {
      const times = struckDown
        ? ` (${this.#quickEnds} times within ${STEADY_MS} ms of its start)`
        : '';
      const what = struckDown ? 'its data may be damaged; ' : '';
      this.#onGivenUp(`it ended with ${how}${times}; ${what}see ${this.plan.logPath}`);
      return;
    }
    const doublings = Math.max(0, this.#quickEnds - 1);
    const delayMs = Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** doublings);
    this.#write(`${this.plan.name} ended (${how}); it is started again in ${delayMs} ms`);
    this.#restartTimer = setTimeout(() => this.#spawn(), delayMs);
  }
}

/** Identity comes by flags alone: a variable meant for one node must not reach all of them. */
function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { HOLO_JOIN: _join, HOLO_LOG_FORMAT: _format, ...rest } = environment;
  return { ...rest, [PARENT_VARIABLE]: '1' };
}
