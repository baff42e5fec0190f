/** Terminal settings (include/uapi/asm-generic/termbits.h): what a line discipline does with bytes on their way. */
import { StructView } from "../abi/bytes.ts";

// c_iflag
export const IGNBRK = 0o1;
export const BRKINT = 0o2;
export const PARMRK = 0o10;
export const ISTRIP = 0o40;
export const INLCR = 0o100;
export const IGNCR = 0o200;
export const ICRNL = 0o400;
export const IUCLC = 0o1000;
export const IXON = 0o2000;
export const IXANY = 0o4000;
export const IMAXBEL = 0o20000;
export const IUTF8 = 0o40000;
// c_oflag
export const OPOST = 0o1;
export const OLCUC = 0o2;
export const ONLCR = 0o4;
export const OCRNL = 0o10;
export const ONOCR = 0o20;
export const ONLRET = 0o40;
export const TABDLY = 0o14000;
// c_cflag
const CSIZE = 0o60;
const CS8 = 0o60;
const CREAD = 0o200;
const PARENB = 0o400;
const HUPCL = 0o2000;
const CBAUD = 0o10017;
const BOTHER = 0o10000;
const B38400 = 0o17;
const IBSHIFT = 16;
// c_lflag
export const ISIG = 0o1;
export const ICANON = 0o2;
export const ECHO = 0o10;
export const ECHOE = 0o20;
export const ECHOK = 0o40;
export const ECHONL = 0o100;
export const NOFLSH = 0o200;
export const TOSTOP = 0o400;
export const ECHOCTL = 0o1000;
export const ECHOPRT = 0o2000;
export const ECHOKE = 0o4000;
export const IEXTEN = 0o100000;
export const EXTPROC = 0o200000;
// c_cc
export const VINTR = 0;
export const VQUIT = 1;
export const VERASE = 2;
export const VKILL = 3;
export const VEOF = 4;
export const VTIME = 5;
export const VMIN = 6;
export const VSTART = 8;
export const VSTOP = 9;
export const VSUSP = 10;
export const VEOL = 11;
export const VREPRINT = 12;
export const VWERASE = 14;
export const VLNEXT = 15;
export const VEOL2 = 16;

const NCCS = 19;
/** Of struct termio. */
const NCC = 8;
/** Bytes of struct termios and struct termios2. */
export const TERMIO_BYTES = 18;
export const TERMIOS_BYTES = 36;
export const TERMIOS2_BYTES = 44;

/** ^C ^\ DEL ^U ^D, VTIME 0, VMIN 1, no VSWTC, ^Q ^S ^Z, no VEOL, ^R ^O ^W ^V, no VEOL2. */
const INIT_C_CC = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];

/** Bits per second by the number in c_cflag; from B57600 on with the bit 0o10000. */
const BAUD_RATES = [
  ...[0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400],
  ...[0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000],
  ...[2500000, 3000000, 3500000, 4000000],
];

/** Owner: one side of a terminal. Changed as a whole, by `assign`. */
export class Termios {
  iflag: number;
  oflag: number;
  cflag: number;
  lflag: number;
  line = 0;
  readonly cc: Uint8Array = new Uint8Array(INIT_C_CC);
  ispeed = 38400;
  ospeed = 38400;

  constructor(iflag: number, oflag: number, cflag: number, lflag: number) {
    this.iflag = iflag;
    this.oflag = oflag;
    this.cflag = cflag;
    this.lflag = lflag;
  }

  clone(): Termios {
    const copy = new Termios(0, 0, 0, 0);
    copy.assign(this);
    return copy;
  }

  assign(from: Termios): void {
    const { iflag, oflag, cflag, lflag, line, ispeed, ospeed } = from;
    Object.assign(this, { iflag, oflag, cflag, lflag, line, ispeed, ospeed });
    this.cc.set(from.cc);
  }
}

/** Of every new terminal (tty_std_termios). */
export function standardTermios(): Termios {
  return new Termios(
    ICRNL | IXON,
    OPOST | ONLCR,
    B38400 | CS8 | CREAD | HUPCL,
    ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
  );
}

/** Of the slave of a pseudo-terminal: as any, but nothing hangs up (unix98_pty_init). */
export function slaveTermios(): Termios {
  const termios = standardTermios();
  termios.cflag &= ~HUPCL;
  return termios;
}

/** Of the master of a pseudo-terminal: every byte as it is. */
export function masterTermios(): Termios {
  return new Termios(0, 0, B38400 | CS8 | CREAD, 0);
}

/** @param withSpeeds as struct termios2 */
export function encodeTermios(termios: Termios, withSpeeds: boolean): Uint8Array {
  const out = new StructView(withSpeeds ? TERMIOS2_BYTES : TERMIOS_BYTES);
  out.put32(0, termios.iflag).put32(4, termios.oflag).put32(8, termios.cflag).put32(12, termios.lflag);
  out.put8(16, termios.line);
  out.bytes.set(termios.cc, 17);
  if (withSpeeds) out.put32(36, termios.ispeed).put32(40, termios.ospeed);
  return out.bytes;
}

/** The settings of System V (struct termio): the low halves, and the first characters. */
export function encodeTermio({ iflag, oflag, cflag, lflag, line, cc }: Termios): Uint8Array {
  const out = new StructView(TERMIO_BYTES).put16(0, iflag).put16(2, oflag).put16(4, cflag).put16(6, lflag);
  out.put8(8, line).bytes.set(cc.subarray(0, NCC), 9);
  return out.bytes;
}

/**
 * What a program sets, as a pseudo-terminal takes it (pty_set_termios: eight bits, no parity). Of what the bytes don't say,
 * `old` stays. Which of the three structures it is, its length says.
 */
export function decodeTermios(from: StructView, old: Termios): Termios {
  const termios = old.clone();
  if (from.bytes.length === TERMIO_BYTES) setTermio(termios, from);
  else {
    const [iflag, oflag, cflag, lflag] = [0, 4, 8, 12].map((at) => from.u32(at));
    Object.assign(termios, { iflag, oflag, cflag, lflag });
    termios.line = from.bytes[16];
    termios.cc.set(from.bytes.subarray(17, 17 + NCCS));
    if (from.bytes.length === TERMIOS2_BYTES) {
      termios.ispeed = from.u32(36);
      termios.ospeed = from.u32(40);
    }
  }
  // But for BOTHER it is c_cflag that names the speeds.
  const output = termios.cflag & CBAUD;
  const input = (termios.cflag >> IBSHIFT) & CBAUD;
  if (output !== BOTHER) termios.ospeed = baudRate(output);
  if (input === 0) termios.ispeed = termios.ospeed;
  else if (input !== BOTHER) termios.ispeed = baudRate(input);
  termios.cflag = (termios.cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
  return termios;
}

function setTermio(termios: Termios, from: StructView): void {
  const halves = (flags: number, at: number): number => ((flags & ~0xffff) | from.u16(at)) >>> 0;
  termios.iflag = halves(termios.iflag, 0);
  termios.oflag = halves(termios.oflag, 2);
  termios.cflag = halves(termios.cflag, 4);
  termios.lflag = halves(termios.lflag, 6);
  termios.line = from.bytes[8];
  termios.cc.set(from.bytes.subarray(9, 9 + NCC));
}

function baudRate(bits: number): number {
  return BAUD_RATES[(bits & 0o17) + ((bits & BOTHER) !== 0 ? 16 : 0)];
}
