/**
 * Circles in a dependency graph, named after Adya (1999) and Elle (Kingsbury and Alvaro 2020). It
 * goes from the simplest kind of circle to the most involved and reports one short circle for every
 * strongly connected component, so that a dirty write is not told once more as each weaker anomaly.
 */
import {
  BUNDLE,
  type DependencyGraph,
  type Edge,
  type EdgeKind,
  RT,
  RW,
  WR,
  WW,
} from './dependency-graph.ts';

export type CycleName = 'G0' | 'G1c' | 'G-single' | 'G2';

export interface Cycle {
  readonly name: CycleName;
  /** True when the circle closes only through real time. */
  readonly strict: boolean;
  /** Each begins at the transaction where the one before ends; bundles are taken out. */
  readonly edges: readonly Edge[];
}

/** Edges that the search for a shorter or simpler circle may visit in one component. */
const VISITS_MAX = 2_000_000;

const LEVELS: readonly { readonly mask: EdgeKind; readonly name: CycleName }[] = [
  { mask: WW, name: 'G0' },
  { mask: WW | WR, name: 'G1c' },
  { mask: WW | WR | RW, name: 'G2' },
  { mask: WW | RT, name: 'G0' },
  { mask: WW | WR | RT, name: 'G1c' },
  { mask: WW | WR | RW | RT, name: 'G2' },
];

/** One circle for every component that has one; none means that a serial order exists. */
export function findCycles(graph: DependencyGraph): Cycle[] {
  const all = WW | WR | RW | RT;
  if (components(graph, all).length === 0) return [];
  const cycles: Cycle[] = [];
  const named = new Uint8Array(graph.nodes);
  for (const { mask, name } of LEVELS) {
    for (const component of components(graph, mask)) {
      if (component.some((node) => named[node] === 1)) continue;
      const search = new CycleSearch(graph, component);
      const single = (mask & RW) === 0 ? undefined : search.throughOne(RW, mask);
      const edges = single ?? search.shortest(mask);
      if (edges === undefined) continue;
      for (const node of component) named[node] = 1;
      const found = single === undefined ? name : 'G-single';
      cycles.push({ name: found, strict: (mask & RT) !== 0, edges: unbundle(graph, edges) });
    }
  }
  return cycles;
}

/**
 * Strongly connected components of more than one node (Tarjan 1972), along edges of the kinds in
 * `mask`. Without recursion: a graph of a hundred thousand nodes would overflow the stack.
 */
export function components(graph: DependencyGraph, mask: EdgeKind): number[][] {
  const { nodes } = graph;
  const index = new Int32Array(nodes);
  const low = new Int32Array(nodes);
  const cursor = new Int32Array(nodes);
  const onStack = new Uint8Array(nodes);
  const stack: number[] = [];
  const path: number[] = [];
  const found: number[][] = [];
  let counter = 0;
  const enter = (node: number): void => {
    index[node] = low[node] = ++counter;
    cursor[node] = graph.firstOf(node);
    onStack[node] = 1;
    stack.push(node);
    path.push(node);
  };
  for (let root = 0; root < nodes; root += 1) {
    if (index[root] !== 0) continue;
    enter(root);
    for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
      const at = cursor[node] ?? 0;
      if (at < graph.endOf(node)) {
        cursor[node] = at + 1;
        const edge = graph.edgeAt(at);
        if ((graph.kind(edge) & (mask | BUNDLE)) === 0) continue;
        const to = graph.to(edge);
        if (index[to] === 0) enter(to);
        else if (onStack[to] === 1) low[node] = Math.min(low[node] ?? 0, index[to] ?? 0);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);
      if (low[node] !== index[node]) continue;
      const component = stack.splice(stack.lastIndexOf(node));
      for (const member of component) onStack[member] = 0;
      if (component.length > 1) found.push(component);
    }
  }
  return found;
}

class CycleSearch {
  readonly #graph: DependencyGraph;
  readonly #component: readonly number[];
  readonly #members: Set<number>;

  constructor(graph: DependencyGraph, component: readonly number[]) {
    this.#graph = graph;
    // Earlier transactions first: what a test finds should not depend on the search's own order.
    this.#component = component.toSorted((a, b) => a - b);
    this.#members = new Set(component);
  }

  /** A short circle with exactly one edge of `kind` among edges of `mask`. */
  throughOne(kind: EdgeKind, mask: EdgeKind): number[] | undefined {
    const graph = this.#graph;
    let best: number[] | undefined;
    let visits = 0;
    for (const node of this.#component) {
      for (let at = graph.firstOf(node); at < graph.endOf(node); at += 1) {
        if (visits > VISITS_MAX) return best;
        const edge = graph.edgeAt(at);
        if (graph.kind(edge) !== kind || !this.#members.has(graph.to(edge))) continue;
        const found = this.#path(graph.to(edge), node, mask & ~kind);
        visits += found.visits;
        if (found.path === undefined) continue;
        const cycle = [edge, ...found.path];
        if (best === undefined || cycle.length < best.length) best = cycle;
        if (best.length === 2) return best;
      }
    }
    return best;
  }

  /** A circle of edges of `mask`, the shortest unless the component is large. */
  shortest(mask: EdgeKind): number[] | undefined {
    let best: number[] | undefined;
    let visits = 0;
    for (const node of this.#component) {
      const found = this.#path(node, node, mask);
      visits += found.visits;
      const { path } = found;
      if (path !== undefined && (best === undefined || path.length < best.length)) best = path;
      if (best !== undefined && (best.length === 2 || visits > VISITS_MAX)) break;
    }
    return best;
  }

  /** The shortest path of at least one edge inside the component, breadth first. */
  #path(from: number, to: number, mask: EdgeKind): { path: number[] | undefined; visits: number } {
    const graph = this.#graph;
    const reachedBy = new Map<number, number>();
    let layer = [from];
    let visits = 0;
    while (layer.length > 0) {
      const next: number[] = [];
      for (const node of layer) {
        for (let at = graph.firstOf(node); at < graph.endOf(node); at += 1) {
          visits += 1;
          const edge = graph.edgeAt(at);
          const target = graph.to(edge);
          if ((graph.kind(edge) & (mask | BUNDLE)) === 0 || !this.#members.has(target)) continue;
          if (reachedBy.has(target)) continue;
          reachedBy.set(target, edge);
          if (target === to) return { path: this.#trace(reachedBy, from, to), visits };
          next.push(target);
        }
      }
      layer = next;
    }
    return { path: undefined, visits };
  }

  #trace(reachedBy: ReadonlyMap<number, number>, from: number, to: number): number[] {
    const path: number[] = [];
    let node = to;
    do {
      const edge = reachedBy.get(node);
      if (edge === undefined) break;
      path.push(edge);
      node = this.#graph.from(edge);
    } while (node !== from);
    return path.reverse();
  }
}

/** Turns `a -> bundle -> b` into `a -> b`, and lets no circle begin inside a bundle. */
function unbundle(graph: DependencyGraph, edges: readonly number[]): Edge[] {
  const start = edges.findIndex((edge) => graph.from(edge) < graph.transactions);
  const turned = [...edges.slice(start), ...edges.slice(0, start)].map((edge) => graph.edge(edge));
  const plain: Edge[] = [];
  for (const edge of turned) {
    const last = plain.at(-1);
    if (edge.kind === BUNDLE && last !== undefined) {
      plain[plain.length - 1] = { ...last, to: edge.to };
    } else plain.push(edge);
  }
  return plain;
}
