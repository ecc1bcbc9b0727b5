/** Finds members of classes and interfaces that no code reads. */
import { type SourceFile, strip } from './sources.ts';

interface Member {
  readonly path: string;
  readonly owner: string;
  readonly name: string;
}

const OWNER = /^(?:export )?(?:abstract )?(?:class|interface) ([\w$]+)/;
/** In code that Biome has formatted, members of an owner at the margin stand two columns in. */
const MEMBER =
  /^ {2}(?:(?:readonly|static|async|override|declare|abstract|get|set) )*\*?([A-Za-z_$][\w$]*)\??(?:<[^>]*>)?(?:\(|:| = |;|$)/;
const ACCESS = /\.\s*([A-Za-z_$][\w$]*)/g;
/** `{ a, b: c, d = 1 } =`, and the same as a parameter. */
const DESTRUCTURED = /\{([^{}();]*)\}\s*(?:=(?![=>])|:\s*[A-Za-z]|\)\s*(?:=>|:)|of\b)/g;

export function membersOf(path: string, code: string): Member[] {
  let owner = '';
  return code.split('\n').flatMap((text): Member[] => {
    const begins = OWNER.exec(text);
    if (begins !== null) owner = begins[1] ?? '';
    else if (text.startsWith('}')) owner = '';
    const name = owner === '' || begins !== null ? undefined : MEMBER.exec(text)?.[1];
    return name === undefined || name === 'constructor' ? [] : [{ path, owner, name }];
  });
}

function namesRead(code: string): string[] {
  const accessed = [...code.matchAll(ACCESS)].map((match) => match[1] ?? '');
  const destructured = [...code.matchAll(DESTRUCTURED)].flatMap((match) =>
    (match[1] ?? '').split(',').map((part) => part.replace(/[:=][\s\S]*$/, '').trim()),
  );
  return [...accessed, ...destructured];
}

/**
 * Members of `files` whose name is read nowhere in `users`. By name alone: a member that has its
 * name from something in use is not found.
 */
export function unreadMembers(
  files: readonly SourceFile[],
  users: readonly SourceFile[],
): Member[] {
  const read = new Set(users.flatMap(({ text }) => namesRead(strip(text, true))));
  const members = files.flatMap(({ path, text }) => membersOf(path, strip(text, true)));
  return members.filter(({ name }) => !read.has(name));
}
