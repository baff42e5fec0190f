/** ioctl: what programs ask of terminals (to find out whether there is one, and how wide), and of files in general. */
import { sysIoctl } from "../../mm/syscalls/open.ts";
import { EBADF, ENOTTY } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import { encodeTermios, encodeWinsize } from "../abi/structs.ts";
import type { Call, SyscallGroup } from "./call.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSETSW = 0x5403;
const TCSETSF = 0x5404;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
const TIOCGWINSZ = 0x5413;

export const terminalCalls: SyscallGroup = [[29, "ioctl", 3, ioctl]];

function ioctl(call: Call): number {
  const file = call.process.files.get(call.s32(0));
  if (file === undefined) return -EBADF;
  const cmd = call.u32(1);
  const terminal = call.system.streams.get(file.inode)?.terminal;
  if (terminal === undefined) return sysIoctl(call.process, call.s32(0), cmd, call.u64(2));
  switch (cmd) {
    case TCGETS:
      return call.put(call.u64(2), encodeTermios());
    // Line editing and echo are the host terminal's business; its settings stay as they are.
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TIOCSPGRP:
      return 0;
    case TIOCGPGRP:
      return call.put(call.u64(2), new StructView(4).put32(0, call.thread.group.processGroup).bytes);
    case TIOCGWINSZ:
      return call.put(call.u64(2), encodeWinsize(terminal.rows, terminal.columns));
    default:
      return -ENOTTY;
  }
}
