/**
 * A network namespace of a test's own, in which the address 10.77.0.1 stands for "from elsewhere":
 * who connects to it comes from it, not from the loopback. Ends what it started.
 */
import { spawnSync } from 'node:child_process';

export const ELSEWHERE = '10.77.0.1';
const SETUP = `ip link set lo up && ip address add ${ELSEWHERE}/32 dev lo`;
const MS_MAX = 60_000;

/** Why there can be none on this machine. */
export function noNetworkOfOwn(): string | undefined {
  const { status, stderr, error } = spawnSync('unshare', ['-rn', 'sh', '-c', SETUP], {
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  const reason = error?.message ?? stderr.trim();
  console.log(`skipped, no network namespace here: ${reason}`);
  return reason;
}

/** Runs a shell script in it, with `args` as $1 and so on; returns what it wrote. */
export function runElsewhere(script: string, ...args: readonly string[]): string {
  // Nothing that the script has begun outlives it: --kill-child ends the whole process space.
  const space = ['-rnpf', '--kill-child', '--mount-proc'];
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    [...space, 'sh', '-c', `${SETUP}\n${script}`, 'sh', ...args],
    { encoding: 'utf8', timeout: MS_MAX, killSignal: 'SIGKILL' },
  );
  if (status !== 0) throw new Error(`the script ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}
