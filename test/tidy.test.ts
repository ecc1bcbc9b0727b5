/** Names the whole folder, for those who still call it by the name of one file. */
import './tidy/cycles.test.ts';
import './tidy/dialect.test.ts';
import './tidy/exports.test.ts';
import './tidy/functions.test.ts';
import './tidy/imports.test.ts';
import './tidy/leftovers.test.ts';
import './tidy/sources.test.ts';
import './tidy/tells.test.ts';
import './tidy/world.test.ts';
