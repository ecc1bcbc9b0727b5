/**
 * The shell of the controllers alone, in virtual time: what becomes of commands of the node's own
 * that are not answered.
 */
import { expect, test } from 'vitest';
import type { Form } from '../../../actors/meta/meta-command.ts';
import { type TopologyActorMessage, topologyActor } from '../../../actors/node/topology-actor.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import { FORM } from '../meta/form-sample.ts';
import { spec, virtualSystem } from '../runtime/fixture.ts';

const ANSWER_MS_MAX = 500;

class Bench {
  readonly world = virtualSystem();
  readonly up = new Set([2]);
  /** When each command was proposed, in ms. */
  readonly proposed: { readonly token: number; readonly atMs: number }[] = [];
  readonly ref;

  constructor(command: Form) {
    const { system, scheduler } = this.world;
    const start = (context: ActorContext<TopologyActorMessage>) =>
      topologyActor(context, {
        ...{ self: 1, leaseMs: 1_000, form: () => command },
        watch: { missedMs: 2_000, backMs: 10_000, backMsMax: 600_000 },
        replicas: { movesMax: 4, replaceAfterMs: 300_000 },
        isMember: () => true,
        connected: () => this.up,
        state: () => undefined,
        endOf: () => undefined,
        hasData: () => false,
        lagging: () => [],
        lacking: () => [],
        presentUs: () => 0,
        propose: (token) => this.proposed.push({ token, atMs: scheduler.nowMs }),
        close: () => undefined,
        told: () => undefined,
        isDraining: () => false,
        answerMsMax: ANSWER_MS_MAX,
      });
    this.ref = system.root.child(spec<TopologyActorMessage>('topology', start));
  }

  run(ms: number): this {
    this.world.scheduler.run(this.world.scheduler.nowMs + ms);
    return this;
  }
}

test('commands that are not answered become rare, and a new link ends the pause', () => {
  const bench = new Bench(FORM);
  bench.run(120_000);
  const { proposed, up } = bench;
  // One per answer that does not come would be 240.
  expect(proposed.length).toBeGreaterThan(5);
  expect(proposed.length).toBeLessThan(15);
  const before = proposed.length;
  up.add(3);
  bench.run(1_500);
  expect(proposed.length).toBeGreaterThan(before);
});

test('a refused command is tried again without a pause', () => {
  const bench = new Bench(FORM);
  for (let second = 0; second < 20; second += 1) {
    bench.run(1_000);
    const { token } = bench.proposed.at(-1) ?? expect.fail();
    const outcome = { type: 'refused', why: 'not now' } as const;
    expect(bench.ref.tell({ type: 'Proposed', token, outcome })).toBe(true);
  }
  expect(bench.proposed.length).toBeGreaterThanOrEqual(15);
});
