/**
 * ioctl: of terminals (tty_ioctl in drivers/tty/tty_io.c, tty_mode_ioctl, tty_jobctrl_ioctl, pty_unix98_ioctl), and of files in
 * general.
 *
 * Most of a terminal's go to the side where programs run, whichever side they are asked of; those of pseudo-terminals
 * are the master's alone.
 */

import { fdGet, fdInstall } from "../../mm/syscalls/fd.ts";
import { sysIoctl } from "../../mm/syscalls/open.ts";
import { CAP_SYS_ADMIN, CAP_SYS_TTY_CONFIG } from "../../mm/uapi/capability.ts";
import { EBADF, EFAULT, EINVAL, EIO, ENOTTY, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { FIOCLEX, FIONBIO, FIONCLEX, FIONREAD } from "../../mm/uapi/fs.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { type File, FMODE_READ } from "../../mm/vfs/file.ts";
import { pipeOf } from "../../mm/vfs/pipe-file.ts";
import { StructView } from "../abi/bytes.ts";
import { encodeWinsize } from "../abi/structs.ts";
import { socketOf } from "../net/socket.ts";
import { SIGINT, SIGQUIT, SIGTSTP, SIGTTOU } from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import { openPeer } from "../tty/devpts.ts";
import { checkChange, clearSession, disassociate, setTerminal } from "../tty/job-control.ts";
import { type PtySlave, ttyFileOf } from "../tty/terminals.ts";
import {
  decodeTermios,
  encodeTermio,
  encodeTermios,
  TERMIO_BYTES,
  TERMIOS_BYTES,
  TERMIOS2_BYTES,
  VSTART,
  VSTOP,
} from "../tty/termios.ts";
import { Tty } from "../tty/tty.ts";
import { BLOCKED, type Call, type SyscallGroup } from "./call.ts";
import { fileIoctl } from "./file-ioctl.ts";
import { ioctlAsync } from "./file-owner.ts";
import { ERESTARTSYS } from "./restart.ts";
import { socketIoctl } from "./socket-ioctl.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSETSW = 0x5403;
const TCSETSF = 0x5404;
const TCGETA = 0x5405;
const TCSETA = 0x5406;
const TCSETAW = 0x5407;
const TCSETAF = 0x5408;
const TCSBRK = 0x5409;
const TCXONC = 0x540a;
const TCFLSH = 0x540b;
const TIOCEXCL = 0x540c;
const TIOCNXCL = 0x540d;
const TIOCSCTTY = 0x540e;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
/** SIOCOUTQ for sockets. */
const TIOCOUTQ = 0x5411;
const TIOCSTI = 0x5412;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const TIOCPKT = 0x5420;
const TIOCNOTTY = 0x5422;
const TIOCSETD = 0x5423;
const TIOCGETD = 0x5424;
const TCSBRKP = 0x5425;
const TIOCSBRK = 0x5427;
const TIOCCBRK = 0x5428;
const TIOCGSID = 0x5429;
const TCGETS2 = 0x802c542a;
const TCSETS2 = 0x402c542b;
const TCSETSW2 = 0x402c542c;
const TCSETSF2 = 0x402c542d;
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;
const TIOCGDEV = 0x80045432;
const TIOCSIG = 0x40045436;
const TIOCVHANGUP = 0x5437;
const TIOCGPKT = 0x80045438;
const TIOCGPTLCK = 0x80045439;
const TIOCGEXCL = 0x80045440;
const TIOCGPTPEER = 0x5441;

const FIOASYNC = 0x5452;

const N_TTY = 0;
const WINSIZE_BYTES = 8;

export const terminalCalls: SyscallGroup = [
  [29, "ioctl", 3, ioctl],
  [58, "vhangup", 0, vhangup],
];

function ioctl(call: Call): number {
  const fd = call.s32(0);
  const file = fdGet(call.process, fd);
  if (file === undefined) return -EBADF;
  const cmd = call.u32(1);
  if (cmd === FIONBIO) return setNonBlocking(call, file);
  if (cmd === FIOASYNC) return ioctlAsync(call, file);
  if (cmd === FIOCLEX || cmd === FIONCLEX) return sysIoctl(call.process, fd, cmd, call.u64(2));
  const ofAnyFile = fileIoctl(call, file, cmd);
  if (ofAnyFile !== undefined) return ofAnyFile;
  const opened = ttyFileOf(file);
  if (opened !== undefined) {
    if (opened.isHungUp) return cmd === TIOCSPGRP ? -ENOTTY : -EIO;
    return terminalIoctl(call, file, opened.tty, cmd);
  }
  const socket = socketOf(file);
  const answered = socket === undefined ? undefined : socketIoctl(call, file, socket, cmd);
  if (answered !== undefined) return answered;
  const pipe = pipeOf(file);
  if (cmd === FIONREAD && pipe !== undefined) return putInt(call, pipe.unread);
  const terminal = call.system.streams.get(file.inode)?.terminal;
  return cmd === TIOCGWINSZ && terminal !== undefined
    ? call.put(call.u64(2), encodeWinsize({ ...terminal, xPixels: 0, yPixels: 0 }))
    : sysIoctl(call.process, fd, cmd, call.u64(2));
}

function setNonBlocking(call: Call, file: File): number {
  const wanted = call.get(call.u64(2), 4);
  if (wanted === undefined) return -EFAULT;
  file.flags = wanted.u32(0) === 0 ? file.flags & ~O_NONBLOCK : file.flags | O_NONBLOCK;
  return 0;
}

function putInt(call: Call, value: number): number {
  return call.put(call.u64(2), new StructView(4).put32(0, value).bytes);
}

/** The caller's own terminal goes away, if it has one. */
function vhangup({ process, system, thread }: Call): number {
  if (!capable(process, CAP_SYS_TTY_CONFIG)) return -EPERM;
  const { terminal } = thread.group;
  if (terminal instanceof Tty) system.terminals.hangUp(terminal);
  return 0;
}

function terminalIoctl(call: Call, file: File, tty: Tty, cmd: number): number {
  const { real } = tty;
  // Who is in the background does not change what those in front look at (tty_ioctl).
  if ([TIOCSETD, TIOCSBRK, TIOCCBRK, TCSBRK, TCSBRKP].includes(cmd)) {
    const held = holdForChange(call, tty);
    if (held !== 0) return held;
  }
  switch (cmd) {
    case TCGETS:
      return call.put(call.u64(2), encodeTermios(real.termios, false));
    case TCGETS2:
      return call.put(call.u64(2), encodeTermios(real.termios, true));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
      return setTermios(call, tty, TERMIOS_BYTES, cmd === TCSETSF);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
      return setTermios(call, tty, TERMIOS2_BYTES, cmd === TCSETSF2);
    case TCGETA:
      return call.put(call.u64(2), encodeTermio(real.termios));
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
      return setTermios(call, tty, TERMIO_BYTES, cmd === TCSETAF);
    case TIOCGWINSZ:
      return call.put(call.u64(2), encodeWinsize(real.windowSize));
    case TIOCSWINSZ:
      return setWindowSize(call, real);
    case TIOCEXCL:
    case TIOCNXCL:
      tty.isExclusive = cmd === TIOCEXCL;
      return 0;
    case TIOCGEXCL:
      return putInt(call, Number(tty.isExclusive));
    case TIOCGDEV:
      return putInt(call, real.rdev);
    case TIOCGETD:
      return putInt(call, N_TTY);
    case TIOCSETD: {
      const wanted = call.get(call.u64(2), 4);
      if (wanted === undefined) return -EFAULT;
      return wanted.s32(0) === N_TTY ? 0 : -EINVAL;
    }
    case TIOCSTI:
      return insert(call, tty);
    case TIOCVHANGUP:
      if (!capable(call.process, CAP_SYS_ADMIN)) return -EPERM;
      call.system.terminals.hangUp(tty);
      return 0;
    // There is no line to be held low.
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
      return 0;
    case TCXONC:
      return flowControl(call, tty);
    case TCFLSH:
      return flush(call, tty);
    case FIONREAD:
      tty.pump();
      return putInt(call, tty.discipline.unread);
    case TIOCOUTQ:
      return putInt(call, 0);
    default:
      return tty.isMaster && isOfMaster(cmd)
        ? masterIoctl(call, tty, cmd)
        : jobControlIoctl(call, file, tty, cmd);
  }
}

/** 0 where the caller may change the terminal; else what the call answers (tty_check_change). */
function holdForChange(call: Call, tty: Tty): number {
  const held = checkChange(call.system, call.thread, tty, SIGTTOU);
  return held === "wait" ? waitForSignal(call) : held;
}

/** The caller was sent a signal, and makes its call again after that, and after every other one that it has. */
export function waitForSignal(call: Call): number {
  const { thread } = call;
  return call.block({
    isReady: () => !thread.hasDeliverable,
    deadlineNs: Number.POSITIVE_INFINITY,
    interrupted: -ERESTARTSYS,
  });
}

function setTermios(call: Call, tty: Tty, bytes: number, flushes: boolean): number {
  const { real } = tty;
  const held = holdForChange(call, real);
  if (held !== 0) return held;
  const given = call.get(call.u64(2), bytes);
  if (given === undefined) return -EFAULT;
  if (flushes) real.flushInput();
  real.setTermios(decodeTermios(given, real.termios));
  return 0;
}

function setWindowSize(call: Call, real: Tty): number {
  const given = call.get(call.u64(2), WINSIZE_BYTES);
  if (given === undefined) return -EFAULT;
  const [rows, columns, xPixels, yPixels] = [0, 2, 4, 6].map((at) => given.u16(at));
  real.resize({ rows, columns, xPixels, yPixels });
  return 0;
}

/** TIOCSTI: as if it had been typed. Root's alone, as where CONFIG_LEGACY_TIOCSTI is not set. */
function insert(call: Call, tty: Tty): number {
  if (!capable(call.process, CAP_SYS_ADMIN)) return -EIO;
  const given = call.get(call.u64(2), 1);
  if (given === undefined) return -EFAULT;
  if (tty.incomingRoom > 0) tty.receive(given.bytes);
  return 0;
}

function flowControl(call: Call, tty: Tty): number {
  const held = holdForChange(call, tty);
  if (held !== 0) return held;
  const { cc } = tty.termios;
  switch (call.u32(2)) {
    case 0: // TCOOFF
      tty.isStoppedByCall = true;
      tty.stop();
      return 0;
    case 1: // TCOON: what ^S has stopped stays so
      if (!tty.isStoppedByCall) return 0;
      tty.isStoppedByCall = false;
      tty.start();
      return 0;
    case 2: // TCIOFF
      sendKey(tty, cc[VSTOP]);
      return 0;
    case 3: // TCION
      sendKey(tty, cc[VSTART]);
      return 0;
    default:
      return -EINVAL;
  }
}

/** A key that the other side is to see, past what is written. */
function sendKey({ link }: Tty, key: number): void {
  if (key !== 0 && link !== undefined && link.incomingRoom > 0) link.receive(Uint8Array.of(key));
}

function flush(call: Call, tty: Tty): number {
  const held = holdForChange(call, tty);
  if (held !== 0) return held;
  const queue = call.u32(2);
  if (queue > 2) return -EINVAL;
  if (queue !== 1) tty.flushInput();
  if (queue !== 0) tty.flushOutput();
  return 0;
}

function isOfMaster(cmd: number): boolean {
  return [TIOCPKT, TIOCGPKT, TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK, TIOCGPTPEER, TIOCSIG].includes(cmd);
}

function masterIoctl(call: Call, tty: Tty, cmd: number): number {
  const slave = [...call.system.terminals.slaves.values()].find((one) => one.tty === tty.link);
  if (slave === undefined) return -EIO;
  switch (cmd) {
    case TIOCGPTN:
      return putInt(call, slave.index);
    case TIOCGPTLCK:
      return putInt(call, Number(slave.isLocked));
    case TIOCGPKT:
      return putInt(call, Number(tty.isPacketMode));
    case TIOCSPTLCK:
    case TIOCPKT: {
      const given = call.get(call.u64(2), 4);
      if (given === undefined) return -EFAULT;
      const isOn = given.u32(0) !== 0;
      if (cmd === TIOCSPTLCK) slave.isLocked = isOn;
      else {
        if (isOn && !tty.isPacketMode) slave.tty.packetNews = 0;
        tty.isPacketMode = isOn;
      }
      return 0;
    }
    case TIOCSIG: {
      const signal = call.s32(2);
      if (signal !== SIGINT && signal !== SIGQUIT && signal !== SIGTSTP) return -EINVAL;
      slave.tty.signalForeground(signal);
      return 0;
    }
    default:
      return openPeerOf(call, slave);
  }
}

/** TIOCGPTPEER: the slave, where no path leads to it. */
function openPeerOf(call: Call, slave: PtySlave): number {
  const flags = call.u32(2);
  const file = openPeer(call.system.terminals, slave, flags & ~O_CLOEXEC);
  if (typeof file === "number") return file;
  return fdInstall(call.process, file, (flags & O_CLOEXEC) !== 0);
}

function jobControlIoctl(call: Call, file: File, tty: Tty, cmd: number): number {
  const { system, thread } = call;
  const { group } = thread;
  const { real } = tty;
  const isMine = group.terminal === real;
  switch (cmd) {
    case TIOCNOTTY:
      if (group.terminal !== tty) return -ENOTTY;
      disassociate(system, group, false);
      return 0;
    case TIOCSCTTY:
      return takeTerminal(call, file, real);
    case TIOCGPGRP:
      // A master may ask about the terminal that is not its own.
      if (tty === real && !isMine) return -ENOTTY;
      return putInt(call, real.foreground);
    case TIOCGSID:
      if (tty === real && !isMine) return -ENOTTY;
      return real.session === 0 ? -ENOTTY : putInt(call, real.session);
    case TIOCSPGRP: {
      const held = holdForChange(call, real);
      if (held === BLOCKED) return held;
      if (held !== 0) return held === -EIO ? -ENOTTY : held;
      if (!isMine || real.session !== group.session) return -ENOTTY;
      const given = call.get(call.u64(2), 4);
      if (given === undefined) return -EFAULT;
      const wanted = given.s32(0);
      if (wanted < 0) return -EINVAL;
      const session = sessionOfGroup(system, wanted);
      if (session === undefined) return -ESRCH;
      if (session !== group.session) return -EPERM;
      real.onControl?.();
      real.foreground = wanted;
      return 0;
    }
    default:
      return -ENOTTY;
  }
}

/** Of a process group; one of a process that leads none yet has no members (session_of_pgrp). Undefined: no such number. */
function sessionOfGroup(system: System, processGroup: number): number | undefined {
  for (const one of system.groups.values()) if (one.processGroup === processGroup) return one.session;
  return system.groups.get(processGroup)?.session;
}

/** TIOCSCTTY (tiocsctty). */
function takeTerminal(call: Call, file: File, tty: Tty): number {
  const { group } = call.thread;
  const isLeader = group.session === group.pid;
  if (isLeader && tty.session === group.session) return 0;
  if (!isLeader || group.terminal !== undefined) return -EPERM;
  const isRoot = capable(call.process, CAP_SYS_ADMIN);
  if (tty.session !== 0) {
    // Root may take it away from another session.
    if (call.u32(2) !== 1 || !isRoot) return -EPERM;
    clearSession(call.system, tty.session);
  }
  if ((file.mode & FMODE_READ) === 0 && !isRoot) return -EPERM;
  setTerminal(group, tty);
  return 0;
}
