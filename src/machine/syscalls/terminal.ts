/** ioctl: what programs ask of terminals (to find out whether there is one, and how wide), and of files in general. */
import { sysIoctl } from "../../mm/syscalls/open.ts";
import { EBADF, EFAULT, ENOTTY } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { FIONBIO, FIONREAD } from "../../mm/uapi/fs.ts";
import type { File } from "../../mm/vfs/file.ts";
import { isReg } from "../../mm/vfs/inode.ts";
import { pipeOf } from "../../mm/vfs/pipe.ts";
import { StructView } from "../abi/bytes.ts";
import { encodeTermios, encodeWinsize } from "../abi/structs.ts";
import { socketOf } from "../net/socket.ts";
import type { Call, SyscallGroup } from "./call.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSETSW = 0x5403;
const TCSETSF = 0x5404;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
/** SIOCOUTQ for sockets. */
const TIOCOUTQ = 0x5411;
const TIOCGWINSZ = 0x5413;

export const terminalCalls: SyscallGroup = [[29, "ioctl", 3, ioctl]];

function ioctl(call: Call): number {
  const file = call.process.files.get(call.s32(0));
  if (file === undefined) return -EBADF;
  const cmd = call.u32(1);
  if (cmd === FIONBIO) return setNonBlocking(call, file);
  const socket = socketOf(file);
  if (socket !== undefined && (cmd === FIONREAD || cmd === TIOCOUTQ)) {
    const bytes = cmd === FIONREAD ? socket.inputBytes() : socket.outputBytes();
    return bytes < 0 ? bytes : call.put(call.u64(2), new StructView(4).put32(0, bytes).bytes);
  }
  const pipe = pipeOf(file);
  if (cmd === FIONREAD && pipe !== undefined) {
    return call.put(call.u64(2), new StructView(4).put32(0, pipe.unread).bytes);
  }
  if (cmd === FIONREAD && isReg(file.inode)) {
    return call.put(call.u64(2), new StructView(4).put32(0, file.inode.size - file.pos).bytes);
  }
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

function setNonBlocking(call: Call, file: File): number {
  const wanted = call.get(call.u64(2), 4);
  if (wanted === undefined) return -EFAULT;
  file.flags = wanted.u32(0) === 0 ? file.flags & ~O_NONBLOCK : file.flags | O_NONBLOCK;
  return 0;
}
