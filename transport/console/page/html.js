/** Templates and hooks: the one place where the page meets preact and htm. */
import htm from 'htm';
import { Component, h } from 'preact';

export { render } from 'preact';
export { useEffect, useMemo, useRef, useState } from 'preact/hooks';

export const html = htm.bind(h);

/** A failure of what is within is shown in its place, and the rest of the page goes on. */
export class Boundary extends Component {
  /**
   * @override
   * @param {Error} error
   */
  componentDidCatch(error) {
    this.setState({ error });
  }

  /** @override */
  render() {
    const { error } = /** @type {{ error?: Error }} */ (this.state);
    if (error === undefined) return /** @type {any} */ (this.props).children;
    return html`<div class="notice bad" role="alert">This view has failed: ${error.message}</div>`;
  }
}
