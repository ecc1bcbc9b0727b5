/** Templates and hooks: the one place where the page meets preact and htm. */
import htm from 'htm';
import { h } from 'preact';

export { render } from 'preact';
export { useEffect, useMemo, useRef, useState } from 'preact/hooks';

export const html = htm.bind(h);
