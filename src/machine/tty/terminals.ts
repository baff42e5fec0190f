/**
 * The terminals of a machine: its console, and pseudo-terminals (drivers/tty/pty.c), which are two terminals back to back.
 *
 * ```
 *    a terminal emulator ── /dev/ptmx ── master ⇄ slave ── /dev/pts/N ── a shell
 *         (script, ssh)                   raw      with a line discipline
 * ```
 *
 * Opening /dev/ptmx makes a pair; its slave is locked until the master unlocks it. When the slave's last file closes, the
 * master reads EIO until it is opened again; when the master's does, the slave hangs up.
 */

import { CAP_SYS_ADMIN } from "../../mm/uapi/capability.ts";
import { EBUSY, EIO, ENOSPC, ENXIO } from "../../mm/uapi/errno.ts";
import { makedev, minorOf } from "../../mm/uapi/fs.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { File } from "../../mm/vfs/file.ts";
import type { Inode } from "../../mm/vfs/inode.ts";
import { ownTerminal } from "../signals/file-owner.ts";
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";
import { hangUpSession, takeOnOpen } from "./job-control.ts";
import { masterTermios, slaveTermios } from "./termios.ts";
import { Tty, TtyFile } from "./tty.ts";
import type { TtySink } from "./tty-output.ts";

/** Major numbers of the two sides (UNIX98_PTY_MASTER_MAJOR, UNIX98_PTY_SLAVE_MAJOR). */
const MASTER_MAJOR = 128;
const SLAVE_MAJOR = 136;
/** A quarter of kernel.pty.max: each has buffers of 56 KiB. */
const MAX_PTYS = 1024;
/** The console has a number of its own among /dev/pts. */
const CONSOLE = 0;

/** A slave, as its file system shows it. */
export interface PtySlave {
  readonly index: number;
  readonly tty: Tty;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Only the master can be opened. */
  isLocked: boolean;
}

export class Terminals {
  /** Slaves by their number: those whose name is there. */
  readonly slaves: Map<number, PtySlave> = new Map();
  /** Numbers of pairs of which any file is open: of slaves without a name, too. */
  readonly #taken: Set<number> = new Set();
  /** Whose machine they are of; set by it. */
  system: System | undefined;
  /** The node of a slave, where there is a /dev/pts: set by it. */
  inodeOf: ((slave: PtySlave) => Inode) | undefined;
  /** Told of a slave whose name is gone. */
  onGone: ((index: number) => void) | undefined;

  /** The thread that makes the call. Precondition: one does. */
  get caller(): Thread {
    const current = this.system?.current;
    if (current === undefined) throw new TypeError("Terminals: nobody is running");
    return current;
  }

  /** The machine's own terminal, over `sink`. */
  newConsole(sink: TtySink): Tty {
    const tty = new Tty(
      this.#needSystem,
      makedev(SLAVE_MAJOR, CONSOLE),
      slaveTermios(),
      "console",
      () => sink,
    );
    this.#taken.add(CONSOLE);
    this.slaves.set(CONSOLE, { index: CONSOLE, tty, owner: { uid: 0, gid: 0 }, isLocked: false });
    return tty;
  }

  /** Opens /dev/ptmx: a new pair. 0 or negative errno. */
  openMaster(file: File): number {
    let index = 0;
    while (this.#taken.has(index)) index++;
    if (index >= MAX_PTYS) return -ENOSPC;
    const master = new Tty(
      this.#needSystem,
      makedev(MASTER_MAJOR, index),
      masterTermios(),
      "master",
      sinkOfPair,
    );
    const slave = new Tty(this.#needSystem, makedev(SLAVE_MAJOR, index), slaveTermios(), "slave", sinkOfPair);
    master.link = slave;
    slave.link = master;
    const { uid, gid } = this.caller.group.process;
    this.slaves.set(index, { index, tty: slave, owner: { uid, gid }, isLocked: true });
    this.#taken.add(index);
    attach(file, master);
    return 0;
  }

  /** Opens /dev/pts/N. 0 or negative errno. */
  openSlave(file: File, index: number, flags: number): number {
    const slave = this.slaves.get(index);
    if (slave === undefined) return -ENXIO;
    const { tty } = slave;
    if (slave.isLocked || tty.isOtherClosed) return -EIO;
    return this.#open(file, tty, flags);
  }

  /** Opens /dev/tty: the caller's controlling terminal. 0 or negative errno. */
  openControlling(file: File, flags: number): number {
    const { terminal } = this.caller.group;
    return terminal instanceof Tty ? this.#open(file, terminal, flags) : -ENXIO;
  }

  #open(file: File, tty: Tty, flags: number): number {
    const { group } = this.caller;
    if (tty.isExclusive && !capable(group.process, CAP_SYS_ADMIN)) return -EBUSY;
    tty.hasIoError = false;
    tty.isHalted = false;
    if (tty.link !== undefined) tty.link.isOtherClosed = false;
    attach(file, tty);
    takeOnOpen(group, tty, file, flags);
    return 0;
  }

  /** The last reference to an open file is gone. */
  close(file: File): void {
    const opened = ttyFileOf(file);
    if (opened === undefined) return;
    const { tty } = opened;
    tty.files.delete(opened);
    tty.users--;
    if (tty.users > 0) return;
    tty.hasIoError = true;
    tty.isPacketMode = false;
    tty.packetNews = 0;
    tty.wakeAll();
    const { link } = tty;
    if (link === undefined) return;
    link.isOtherClosed = true;
    link.wakeAll();
    if (tty.isMaster) this.#endPair(link);
    if (link.users === 0) this.#taken.delete(minorOf(tty.rdev));
  }

  /** The master is gone: nobody finds the slave any more, and who has it is hung up. */
  #endPair(tty: Tty): void {
    for (const [index, slave] of this.slaves) {
      if (slave.tty !== tty) continue;
      this.slaves.delete(index);
      this.onGone?.(index);
    }
    this.hangUp(tty);
  }

  /** tty_vhangup. */
  hangUp(tty: Tty): void {
    hangUpSession(this.#needSystem(), tty);
    for (const file of tty.files) file.isHungUp = true;
    tty.files.clear();
    tty.source = undefined;
    tty.fasync.clear();
    tty.discipline.restart();
    if (tty.link !== undefined) {
      tty.isHalted = true;
      if (!tty.isMaster) tty.termios.assign(slaveTermios());
    }
    tty.wakeAll();
  }

  /** Until somebody is named, the foreground of a terminal is told by signals, or who asks for them. */
  own(file: File, { foreground }: Tty): void {
    ownTerminal(this.#needSystem(), file, foreground, this.caller.group);
  }

  readonly #needSystem = (): System => {
    if (this.system === undefined) throw new TypeError("Terminals: they are of no machine");
    return this.system;
  };
}

/** What one side writes, the other receives. */
function sinkOfPair(tty: Tty): TtySink {
  return {
    room: () => tty.link?.incomingRoom ?? 0,
    put: (bytes) => tty.link?.receive(bytes),
  };
}

/** Makes the open file one of the terminal's. */
export function attach(file: File, tty: Tty): void {
  const opened = new TtyFile(tty);
  tty.files.add(opened);
  tty.users++;
  file.data = opened;
}

/** The terminal behind an open file, if that is one. */
export function ttyFileOf(file: File): TtyFile | undefined {
  return file.data instanceof TtyFile ? file.data : undefined;
}
