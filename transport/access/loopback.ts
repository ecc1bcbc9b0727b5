/** Which addresses are this machine's own loopback. Pure. */

/** `address` without a port, as sockets tell it or settings name it. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** The same for `host:port`; an IPv6 host stands in brackets. */
export function isLoopbackEndpoint(text: string): boolean {
  return isLoopback(text.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
}
