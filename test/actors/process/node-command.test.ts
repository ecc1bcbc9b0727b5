import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runNode, type StartNode } from '../../../actors/process/node-command.ts';
import type { NodeConfig } from '../../../actors/process/settings/config.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holo-command-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function flags(...more: string[]): string[] {
  return [
    ...['--node-id=1', '--listen-redis=127.0.0.1:0', '--listen-peer=127.0.0.1:0'],
    ...['--listen-admin=127.0.0.1:0', '--initial-members=1@127.0.0.1:1'],
    `--data-dir=${join(root, 'd')}`,
    '--log-level=silent',
    ...more,
  ];
}

/** A node that stops when it is told to, and writes down what happens to it. */
function fakeNode(happened: string[]): StartNode {
  return (config: NodeConfig) => {
    happened.push(`start ${config.nodeId}`);
    let settle: (end: { code: number; reason: string }) => void = () => undefined;
    return {
      stopped: new Promise((resolve) => {
        settle = resolve;
      }),
      stop: (reason) => {
        happened.push(`stop: ${reason}`);
        settle({ code: 0, reason });
        return Promise.resolve();
      },
      dumpTrace: () => happened.push('dump'),
    };
  };
}

test('SIGUSR2 dumps the trace, SIGTERM stops the node once, and nothing stays attached', async () => {
  const before = process.listenerCount('SIGTERM');
  const happened: string[] = [];
  const code = runNode(flags('--bootstrap'), fakeNode(happened));
  await vi.waitFor(() => expect(happened).toEqual(['start 1']));
  process.emit('SIGUSR2');
  process.emit('SIGTERM');
  process.emit('SIGTERM');
  expect(await code).toBe(0);
  expect(happened).toEqual(['start 1', 'dump', 'stop: received SIGTERM']);
  expect(process.listenerCount('SIGTERM')).toBe(before);
});

test('a node that ends by itself gives its exit code', async () => {
  const stopped = Promise.resolve({ code: 3, reason: 'the disk failed' });
  const code = await runNode(flags('--bootstrap'), () => ({
    stopped,
    stop: () => Promise.resolve(),
  }));
  expect(code).toBe(3);
});

test('nothing is started, or made, with wrong flags', async () => {
  const happened: string[] = [];
  await expect(runNode(flags(), fakeNode(happened))).rejects.toThrow('exactly one of');
  expect(happened).toEqual([]);
  expect(existsSync(join(root, 'd'))).toBe(false);
});
