/** Finds functions and measures them. */

export interface LongFunction {
  readonly line: number;
  readonly lines: number;
  readonly head: string;
}

const HEAD =
  /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\b|(?:static |async |get |set |readonly |private )*[#\w$]+(?:<[^>]*>)?\s*(?:=\s*(?:async )?)?\(|(?:export )?const [\w$]+[^=]*= (?:async )?\()/;
const KEYWORD = /^\s*(if|for|while|switch|return|throw|else|catch|await|expect|new)\b/;
const HEAD_LINES_MAX = 30;

/**
 * Functions of more than `linesMax` lines in code that Biome has formatted: a body ends at the
 * first brace that closes at the indentation of the head.
 */
export function longFunctions(code: string, linesMax: number): LongFunction[] {
  const lines = code.split('\n');
  return lines.flatMap((head, index) => {
    const indent = HEAD.exec(head)?.[1];
    if (indent === undefined || KEYWORD.test(head)) return [];
    const opens = bodyOpensAt(lines, index, indent);
    if (opens < 0) return [];
    const closes = lines.findIndex((line, at) => at > opens && line.startsWith(`${indent}}`));
    const length = closes - index + 1;
    return length > linesMax ? [{ line: index + 1, lines: length, head: head.trim() }] : [];
  });
}

function bodyOpensAt(lines: readonly string[], head: number, indent: string): number {
  for (let at = head; at < Math.min(head + HEAD_LINES_MAX, lines.length); at += 1) {
    const line = lines[at] ?? '';
    const endsHead = at === head || line.startsWith(`${indent})`);
    if (endsHead && /\{\s*$/.test(line)) return at;
    if (endsHead && /;\s*$/.test(line)) return -1;
    if (at > head && line.startsWith(`${indent}}`)) return -1;
  }
  return -1;
}
