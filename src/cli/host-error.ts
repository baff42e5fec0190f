/** What Node's fs throws when reading or writing a stream, as the program sees it. */
import { EIO, EPIPE } from "../mm/uapi/errno.ts";
import { ERESTART_WOULD_BLOCK } from "../mm/vfs/would-block.ts";

/** A negative errno; −ERESTART_WOULD_BLOCK where trying again later will help; 0 for the end that Windows reports so. */
export function failure(error: unknown): number {
  switch (codeOf(error)) {
    case "EAGAIN":
      return -ERESTART_WOULD_BLOCK;
    case "EPIPE":
      return -EPIPE;
    case "EOF":
      return 0;
    default: {
      const { errno } = error as { readonly errno?: unknown };
      // Only Linux has Linux's numbers.
      return typeof errno === "number" && process.platform === "linux" ? errno : -EIO;
    }
  }
}

/** "EAGAIN" and the like. */
export function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}
