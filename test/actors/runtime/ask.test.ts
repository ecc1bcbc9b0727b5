import { describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import { AskTable } from '../../../actors/runtime/ask.ts';
import { TimerWheel } from '../../../actors/runtime/ports/timer-wheel.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';
import { spec, virtualSystem } from './fixture.ts';

interface Question {
  readonly id: number;
  readonly replyTo: ActorRef<string>;
}

/** An actor that only collects questions. */
function collecting(questions: Question[]) {
  return spec<Question>('answerer', () => ({ receive: (question) => questions.push(question) }));
}

const makeQuestion = (replyTo: ActorRef<string>, id: number): Question => ({ replyTo, id });

describe('ask', () => {
  test('the reply arrives in a later turn, the deadline is taken back', () => {
    const { scheduler, system } = virtualSystem();
    const questions: Question[] = [];
    const target = system.root.child(collecting(questions));
    const log: string[] = [];
    const onReply = (reply: string): number => log.push(reply);
    const onTimeout = (): number => log.push('timeout');
    expect(system.ask(target, makeQuestion, 100, onReply, onTimeout)).toBe(true);
    scheduler.run(10);
    expect(system.counters.asksOutstanding).toBe(1);
    expect(questions[0]?.replyTo.tell('yes')).toBe(true);
    expect(log).toEqual([]);
    scheduler.runUntilIdle();
    expect(log).toEqual(['yes']);
    expect(scheduler.nowMs).toBeLessThan(101);
    expect(system.counters).toMatchObject({ asksOutstanding: 0, askTimeouts: 0, timers: 0 });
  });

  test('without a reply the deadline rings once; late and double replies are dead letters', () => {
    const { scheduler, system, letters } = virtualSystem();
    const questions: Question[] = [];
    const target = system.root.child(collecting(questions));
    const log: string[] = [];
    const ask = (): boolean =>
      system.ask(
        target,
        makeQuestion,
        100,
        (reply: string) => log.push(reply),
        () => log.push(`timeout@${scheduler.nowMs}`),
      );
    ask();
    scheduler.runUntilIdle();
    expect(log).toEqual(['timeout@100']);
    expect(questions[0]?.replyTo.tell('late')).toBe(false);
    ask();
    scheduler.run(110);
    questions[1]?.replyTo.tell('first');
    expect(questions[1]?.replyTo.tell('second')).toBe(false);
    scheduler.runUntilIdle();
    expect(log).toEqual(['timeout@100', 'first']);
    expect(letters).toEqual(['node/ask/1 late late-reply', 'node/ask/2 second late-reply']);
    expect(questions.map(({ id }) => id)).toEqual([1, 2]);
  });

  test('a question that the target refuses is not sent, and nothing is called', () => {
    const { scheduler, system } = virtualSystem();
    const target = system.root.child(collecting([]));
    system.root.remove('answerer');
    scheduler.runUntilIdle();
    const fail = (): void => {
      throw new Error('must not be called');
    };
    expect(system.ask(target, makeQuestion, 100, fail, fail)).toBe(false);
    scheduler.runUntilIdle();
    expect(system.counters).toMatchObject({ asksOutstanding: 0, timers: 0 });
  });

  test('the number of questions is bounded', () => {
    const scheduler = new VirtualScheduler();
    const wheel = new TimerWheel(scheduler.clock, scheduler);
    const table = new AskTable('node', scheduler, wheel, { lateReply: () => {} }, 2);
    const target = { path: 'target', tell: () => true };
    let timeouts = 0;
    const ask = (): boolean =>
      table.ask(
        target,
        makeQuestion,
        10,
        () => {},
        () => {
          timeouts += 1;
        },
      );
    expect([ask(), ask(), ask()]).toEqual([true, true, false]);
    scheduler.runUntilIdle();
    expect([table.outstanding, table.timeouts, timeouts]).toEqual([0, 2, 2]);
    expect(ask()).toBe(true);
  });
});
