/**
 * Counts the system calls of a process with `perf stat`, in a phase of its own: nothing that is
 * timed runs meanwhile. Needs root and tracepoints; what is missing is said in one line. Leaves
 * nothing behind: tracefs is mounted for perf alone, in a mount namespace that ends with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';

type SyscallCount =
  | { readonly calls: number; readonly reason: undefined }
  | { readonly calls: undefined; readonly reason: string };

const mountAndRun =
  'test -e /sys/kernel/tracing/events || mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"';
const event = 'raw_syscalls:sys_enter';
const answerMsMax = 5000;

/** The answer of perf on a pipe; undefined when it ends or is silent for too long. */
function answer(perf: ChildProcess, pipe: Duplex): Promise<string | undefined> {
  return new Promise((resolve) => {
    const end = (text?: string): void => {
      clearTimeout(timer);
      pipe.removeAllListeners('data');
      perf.off('close', ended);
      resolve(text);
    };
    const ended = (): void => end();
    const timer = setTimeout(ended, answerMsMax);
    pipe.once('data', (chunk: Buffer) => end(chunk.toString('latin1')));
    perf.once('close', ended);
  });
}

/** Counts until that has failed once: then the reason is kept, and nothing is tried any more. */
export class SyscallCounter {
  /** Why system calls are not counted. */
  reason: string | undefined;

  /** While `work` runs, which is left out where nothing can be counted. */
  async during(pid: number | undefined, work: () => Promise<unknown>): Promise<number | undefined> {
    if (this.reason !== undefined) return undefined;
    const { calls, reason } = await syscallsDuring(pid, work);
    this.reason = reason;
    return calls;
  }
}

/** Of all threads that the process has now and starts meanwhile; `work` runs in any case. */
async function syscallsDuring(
  pid: number | undefined,
  work: () => Promise<unknown>,
): Promise<SyscallCount> {
  const counting = ['perf', 'stat', '-x', ',', '-e', event, '-D', '-1', '-p', String(pid)];
  const args = ['-m', 'sh', '-c', mountAndRun, 'sh', ...counting, '--control', 'fd:3,4'];
  const perf = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
  let output = '';
  perf.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString('latin1');
  });
  const closed = new Promise<void>((resolve) => {
    perf.once('close', () => resolve());
    perf.once('error', (error) => {
      output += error.message;
      resolve();
    });
  });
  const [, , , commands, answers] = perf.stdio as unknown as Duplex[];
  if (commands === undefined || answers === undefined) throw new Error('no pipes to perf');
  // Written to after perf has ended, a pipe says so; the missing answer is enough.
  commands.on('error', () => {});
  const said = async (command: string): Promise<boolean> => {
    const answered = answer(perf, answers);
    commands.write(`${command}\n`);
    return (await answered)?.startsWith('ack') === true;
  };
  const enabled = await said('enable');
  await work();
  const counted = enabled && (await said('disable'));
  perf.kill('SIGINT');
  await closed;
  const calls = Number(/^(\d+),[^\n]*sys_enter/m.exec(output)?.[1]);
  if (counted && Number.isFinite(calls)) return { calls, reason: undefined };
  const why = output.split('\n').find((line) => line.trim() !== '') ?? 'perf does not answer';
  return { calls: undefined, reason: `no system calls counted: ${why.trim()}` };
}
