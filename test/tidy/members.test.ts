/** Every member of a class or an interface is read by the product. */
import { describe, expect, test } from 'vitest';
import { membersOf, unreadMembers } from './members.ts';
import { pages, type SourceFile, sources } from './sources.ts';

/** Shapes that are written out whole (JSON, INFO, the log) or read by a computed name. */
const WRITTEN_WHOLE = [
  'actors/runtime/inspection.ts ActorInspection',
  'actors/runtime/supervision/coordinated-shutdown.ts PhaseReport',
  'bpf/native/native.ts HoloFastCounters',
  'transport/http/counted-histogram.ts Sample',
  'transport/http/metrics.ts LinkSample',
  'transport/http/node-status.ts NodeStatus',
  'transport/peer/tcp-network.ts LinkCounters',
];

/** Makes the type of a native handle unlike every other. */
const BRANDS = ['bpf/native/native.ts KernelHandle.__kernelHandle'];

/** Doors through which tests see, or damage, what the product cannot reach by itself. */
const FOR_TESTS = [
  'actors/accord/local/replica-state.ts ReplicaState.clockUs',
  'actors/accord/local/replica-view.ts ReplicaView.clockUs',
  'actors/accord/topology/group.ts QuorumSizes.failures',
  'actors/runtime/actor-system.ts SystemCounters.askTimeouts',
  'actors/runtime/actor-system.ts SystemCounters.asksOutstanding',
  'actors/runtime/nact-shim.ts NactScheduler.timerCount',
  'actors/runtime/nact-shim.ts NactScheduler.wakerCount',
  'actors/runtime/ports/seeded-rng.ts SeededRng.fork',
  'bpf/native/holofast.ts KernelHoloFast.fanOutProgramId',
  'bpf/native/native.ts NativeAddon.programAlive',
  'bpf/native/native.ts NativeAddon.testRun',
  'storage/engine/memory-engine.ts MemoryEngine.failNextCommit',
  'storage/engine/memory-engine.ts MemoryStore.flipBit',
];

function file(path: string, text: string): SourceFile {
  return { path, text, imports: [] };
}

describe('the reader of members', () => {
  test('sees members of every kind, and nothing inside of them', () => {
    const code = [
      'export class A {\n  readonly a = 1;\n  #b = 2;\n  get c(): number {\n    return this.x;\n  }',
      '  async d(e: E): Promise<void> {\n    const f = 1;\n  }\n  constructor(g: G) {}\n}',
      'interface I {\n  readonly h?: string;\n  i(): void;\n}\nconst j = {\n  k: 1,\n};',
    ].join('\n');
    expect(membersOf('a.ts', code).map(({ owner, name }) => `${owner}.${name}`)).toEqual([
      ...['A.a', 'A.c', 'A.d', 'I.h', 'I.i'],
    ]);
  });

  test('tells what is read from what is only declared or written', () => {
    const declared = 'interface I {\n  a: A;\n  b: A;\n  c: A;\n  d: A;\n  e: A;\n}\n';
    const used = 'const { a, b: x } = i;\nf({ c: 1, d: 2 });\ni.e();\nfunction g({ d }: I) {}';
    const found = unreadMembers([file('a.ts', declared)], [file('b.ts', used)]);
    expect(found.map(({ name }) => name)).toEqual(['c']);
  });
});

test('members of classes and interfaces are read by the product', () => {
  const names = unreadMembers(sources, [...sources, ...pages])
    .filter(({ path, owner }) => !WRITTEN_WHOLE.includes(`${path} ${owner}`))
    .map(({ path, owner, name }) => `${path} ${owner}.${name}`);
  expect(names.sort()).toEqual([...BRANDS, ...FOR_TESTS].sort());
});
