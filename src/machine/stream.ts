/** The standard streams of a program, and what stands behind them. */
import { S_IFCHR, S_IFIFO } from "../mm/uapi/fcntl.ts";
import { makedev } from "../mm/uapi/fs.ts";
import type { StreamIo } from "../mm/vfs/char-device.ts";
import { ERESTART_WOULD_BLOCK } from "../mm/vfs/would-block.ts";

/** A stream as the machine knows it: a terminal, where it has a size, else what a pipe looks like. */
export interface MachineStream extends StreamIo {
  readonly terminal?: { readonly rows: number; readonly columns: number };
}

/** Where bytes come from. Answers what has come, `null` at the end, `undefined` when nothing has come yet. */
export type ByteSource = (max: number) => Uint8Array | null | undefined;
/** Where bytes go. They are only valid during the call. */
export type ByteSink = (bytes: Uint8Array) => void;

export interface StreamOptions {
  readonly read?: ByteSource;
  readonly write?: ByteSink;
  readonly terminal?: { readonly rows: number; readonly columns: number };
}

const WOULD_BLOCK: number = -ERESTART_WOULD_BLOCK;

/** A stream over two functions. What a read brings beyond what was asked for is kept for the next. */
export function streamOf(options: StreamOptions): MachineStream {
  const { read, write, terminal } = options;
  let left = new Uint8Array(0);
  return {
    // A terminal is /dev/tty-like (major 136: pts); anything else looks like one end of a pipe.
    mode: terminal === undefined ? S_IFIFO | 0o600 : S_IFCHR | 0o620,
    rdev: terminal === undefined ? 0 : makedev(136, 0),
    ...(terminal === undefined ? {} : { terminal }),
    ...(read === undefined
      ? {}
      : {
          read: (into: Uint8Array): number => {
            if (left.length === 0) {
              const got = read(into.length);
              if (got === null) return 0;
              if (got === undefined || got.length === 0) return WOULD_BLOCK;
              left = got.slice();
            }
            const n = Math.min(left.length, into.length);
            into.set(left.subarray(0, n));
            left = left.subarray(n);
            return n;
          },
        }),
    ...(write === undefined
      ? {}
      : {
          write: (from: Uint8Array): number => {
            write(from);
            return from.length;
          },
        }),
  };
}

/** A stream that is at its end and takes everything without keeping it (/dev/null). */
export const nullStream: MachineStream = streamOf({ read: () => null, write: () => {} });
