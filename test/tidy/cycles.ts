/** Finds cycles of imports between files, and between the folders that hold them. */

export type Graph = ReadonlyMap<string, Iterable<string>>;

/** Tarjan's strongly connected components of more than one node, each sorted. */
export function cycles(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.size - 1);
    open.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) visit(next);
      else if (!open.includes(next)) continue;
      lowest.set(node, Math.min(lowest.get(node) ?? 0, lowest.get(next) ?? 0));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const component = open.splice(open.indexOf(node));
    if (component.length > 1) found.push(component.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}

/**
 * The imports between sibling folders, each folder with all that is below it. A folder's own files
 * are its doors and its words: they may import its rooms and be imported by them, and are no room.
 */
export function roomsOf(files: Graph): Map<string, Set<string>> {
  const rooms = new Map<string, Set<string>>();
  const importsOf = (room: string): Set<string> => {
    const known = rooms.get(room) ?? new Set<string>();
    rooms.set(room, known);
    return known;
  };
  for (const [file, targets] of files) {
    const from = file.split('/');
    for (const target of targets) {
      const to = target.split('/');
      let shared = 0;
      while (from[shared] === to[shared]) shared += 1;
      if (shared >= from.length - 1 || shared >= to.length - 1) continue;
      const other = to.slice(0, shared + 1).join('/');
      importsOf(other);
      importsOf(from.slice(0, shared + 1).join('/')).add(other);
    }
  }
  return rooms;
}
