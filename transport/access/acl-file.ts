/** The file of `--aclfile`, as ACL LOAD and ACL SAVE use it. Errors are sentences. */
export interface AclFile {
  read(): string | { readonly reason: string };
  /** Replaces the file as a whole; returns why it did not. */
  write(text: string): string | undefined;
}
