/** The reader of sources itself. */
import { describe, expect, test } from 'vitest';
import { importsOf, sources } from './sources.ts';

describe('the reader of sources', () => {
  test('sees imports of every form, and none in comments', () => {
    const source = [
      "import { a } from './a.ts';",
      'import type {\n  B,\n} from "../b.ts";',
      "import './side-effect.ts';",
      "export { c } from './c.ts';",
      "const d = await import('./d.ts');",
      "// import { x } from './x.ts';",
      "/* import y from './y.ts' */ const url = 'http://host'; const re = /['\"]/;",
      "import { e } from 'package'; // from './z.ts'",
    ].join('\n');
    expect(importsOf(source)).toEqual([
      './a.ts',
      '../b.ts',
      './side-effect.ts',
      './c.ts',
      './d.ts',
      'package',
    ]);
  });

  test('finds the sources', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.find((file) => file.path === 'transport/peer/codec.ts')?.imports).toContain(
      'transport/peer/frame-error.ts',
    );
  });
});
