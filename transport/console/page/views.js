/** All views: how they are called in the address, in the navigation, and on the keyboard. */
import { HoloFast } from './views/holofast.js';
import { Overview } from './views/overview.js';

export const VIEWS = [
  { name: 'overview', title: 'Overview', key: '1', View: Overview },
  { name: 'holofast', title: 'HoloFast', key: '2', View: HoloFast },
];
