import { pino } from 'pino';
import { expect, test } from 'vitest';
import { StatusBoard } from '../../../actors/process/status-board.ts';
import { NodeMetrics } from '../../../transport/http/metrics.ts';

test('refused messages of a peer are told once in ten seconds; a contradiction apart', async () => {
  const lines: Array<{ level: number; peer: number; unsaid: number; msg: string }> = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  let nowMs = 0;
  const board = new StatusBoard(logger, { wallUs: () => 1, monotonicMs: () => nowMs });
  const metrics = new NodeMetrics({}, false);
  const { messageRefused } = board.observer(metrics);
  for (let times = 0; times < 5; times += 1) messageRefused?.(2, 'PreAccept', 'shape');
  messageRefused?.(3, 'frame', 'undecodable', 'no header');
  messageRefused?.(2, 'Stable', 'contradiction', 'safety: both values');
  nowMs = 10_000;
  messageRefused?.(2, 'Commit', 'range');
  expect(lines).toMatchObject([
    { level: 40, peer: 2, unsaid: 0, msg: expect.stringMatching(/refused \(PreAccept: shape\); /) },
    { level: 40, peer: 3, unsaid: 0 },
    { level: 50, peer: 2, unsaid: 0, msg: expect.stringMatching(/both values\); .* keep/) },
    { level: 40, peer: 2, unsaid: 4 },
  ]);
  expect(await metrics.text()).toContain('{type="PreAccept",reason="shape"} 5');
});

test('a restart of an actor is told with its path and its cause', () => {
  const lines: Array<{ level: number; path: string; stack: string; msg: string }> = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  const board = new StatusBoard(logger, { wallUs: () => 1, monotonicMs: () => 0 });
  const { actorRestarts } = board.observer(new NodeMetrics({}, false));
  const path = 'node-1/store-0/executor';
  actorRestarts?.({ path, reason: { kind: 'crash', error: new Error('why') }, delayMs: 10 });
  actorRestarts?.({ path, reason: { kind: 'killed' }, delayMs: 20 });
  expect(lines).toMatchObject([
    {
      level: 40,
      path,
      msg: expect.stringMatching(/restarted: Error: why; /),
      stack: expect.any(String),
    },
    { level: 40, path, msg: expect.stringMatching(/is restarted: killed; .*kill -USR2/) },
  ]);
});
