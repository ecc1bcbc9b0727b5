import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { components, findCycles } from './cycles.ts';
import {
  BUNDLE,
  buildDependencies,
  DependencyGraph,
  type EdgeKind,
  RT,
  RW,
  WR,
  WW,
} from './dependency-graph.ts';
import { generateHistory, pickFrom } from './generate.ts';
import { readTransactions } from './transactions.ts';

type EdgeRow = readonly [from: number, to: number, kind: EdgeKind];

function graphOf(transactions: number, rows: readonly EdgeRow[], bundles = 0): DependencyGraph {
  const graph = new DependencyGraph(transactions);
  for (let bundle = 0; bundle < bundles; bundle += 1) graph.addBundle();
  for (const [from, to, kind] of rows) graph.addEdge(from, to, kind, -1, 0);
  graph.freeze();
  return graph;
}

const rows = fc.array(
  fc.tuple(fc.nat({ max: 11 }), fc.nat({ max: 11 }), fc.constantFrom<EdgeKind>(WW, WR, RW, RT)),
  { maxLength: 40 },
);

function reachable(edges: readonly EdgeRow[], from: number): Set<number> {
  const seen = new Set<number>();
  const queue = [from];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    for (const [source, to] of edges) {
      if (source !== node || source === to || seen.has(to)) continue;
      seen.add(to);
      queue.push(to);
    }
  }
  return seen;
}

describe('components', () => {
  test('are the sets of nodes that reach each other', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 15 }), (edges, mask) => {
        const allowed = edges.filter(([, , kind]) => (kind & mask) !== 0);
        const reach = Array.from({ length: 12 }, (_, node) => reachable(allowed, node));
        const expected = new Set<string>();
        for (let node = 0; node < 12; node += 1) {
          if (reach[node]?.has(node) !== true) continue;
          const members = [...(reach[node] ?? [])].filter((other) => reach[other]?.has(node));
          expected.add(members.toSorted((a, b) => a - b).join());
        }
        const found = components(graphOf(12, edges), mask);
        const texts = found.map((members) => members.toSorted((a, b) => a - b).join());
        expect(new Set(texts)).toEqual(expected);
        expect(texts).toHaveLength(expected.size);
      }),
    );
  });

  test('of a path of a hundred thousand nodes do not overflow the stack', () => {
    const length = 100_000;
    const graph = new DependencyGraph(length);
    for (let node = 0; node < length; node += 1) {
      graph.addEdge(node, (node + 1) % length, WW, -1, 0);
    }
    graph.freeze();
    expect(components(graph, WW).map((members) => members.length)).toEqual([length]);
  });
});

describe('findCycles', () => {
  test('finds closed circles of the kind that it names', () => {
    fc.assert(
      fc.property(rows, (edges) => {
        const cycles = findCycles(graphOf(12, edges));
        expect(cycles.length > 0).toBe(components(graphOf(12, edges), 15).length > 0);
        for (const { name, strict, edges: circle } of cycles) {
          const kinds = circle.map(({ kind }) => kind);
          circle.forEach(({ to }, at) => {
            expect(to).toBe(circle[(at + 1) % circle.length]?.from);
          });
          const antis = kinds.filter((kind) => kind === RW).length;
          if (name === 'G0' || name === 'G1c') expect(antis).toBe(0);
          if (name === 'G-single') expect(antis).toBe(1);
          if (name === 'G2') expect(antis).toBeGreaterThan(1);
          if (name === 'G1c') expect(kinds).toContain(WR);
          if (name === 'G0') expect(kinds).not.toContain(WR);
          expect(kinds.includes(RT)).toBe(strict);
        }
      }),
    );
  });

  test('names the simplest circle of a component', () => {
    const namesOf = (...edges: EdgeRow[]): string[] => {
      return findCycles(graphOf(4, edges)).map(({ name, strict }) => `${name} ${strict}`);
    };
    expect(namesOf([0, 1, WW], [1, 0, WW], [1, 0, RW], [1, 0, RT])).toEqual(['G0 false']);
    expect(namesOf([0, 1, WW], [1, 0, RW], [0, 2, RT], [2, 0, RT])).toEqual(['G-single false']);
    expect(namesOf([0, 1, RW], [1, 0, RW], [1, 2, WW], [2, 0, WW])).toEqual(['G-single false']);
    expect(namesOf([0, 1, RW], [1, 0, RW])).toEqual(['G2 false']);
    expect(namesOf([0, 1, RW], [1, 0, RT])).toEqual(['G-single true']);
    expect(namesOf([0, 1, RW], [1, 2, RT], [2, 3, RW], [3, 0, RT])).toEqual(['G2 true']);
    expect(namesOf([0, 1, WW], [1, 0, WW], [2, 3, WR], [3, 2, WW])).toEqual([
      'G0 false',
      'G1c false',
    ]);
  });

  test('leads through bundles and does not show them', () => {
    const through: EdgeRow[] = [
      [0, 2, RW],
      [2, 1, BUNDLE],
      [1, 0, WR],
    ];
    const [cycle] = findCycles(graphOf(2, through, 1));
    expect(cycle?.name).toBe('G-single');
    expect(cycle?.edges.map(({ from, to, kind }) => [from, to, kind])).toEqual([
      [0, 1, RW],
      [1, 0, WR],
    ]);
  });
});

test('real time takes few edges, and relates all that did not overlap', () => {
  const processes = 10;
  const history = generateHistory('list-append-txn', pickFrom(9), {
    operations: 300,
    processes,
    keys: 5,
    unknownPercent: 10,
    refusedPercent: 10,
  });
  const transactions = readTransactions(history.operations);
  const happened = Uint8Array.from(transactions, ({ operation }) =>
    operation.outcome === 'ok' ? 1 : 0,
  );
  const { graph } = buildDependencies(transactions, [], happened);
  expect(graph.edges).toBeLessThanOrEqual(transactions.length * processes);
  const edges: EdgeRow[] = Array.from({ length: graph.edges }, (_, edge) => {
    return [graph.from(edge), graph.to(edge), graph.kind(edge)];
  });
  for (const { index, operation } of transactions) {
    const after = transactions.filter((other) => {
      const isLater = (operation.completedAt ?? Infinity) < other.operation.invokedAt;
      return happened[index] === 1 && happened[other.index] === 1 && isLater;
    });
    const reached = [...reachable(edges, index)].toSorted((a, b) => a - b);
    expect(reached).toEqual(after.map((other) => other.index));
  }
});
