/**
 * four-mappings: who sees whose writes after fork, for the four types of mapping: shared or private, of a file or
 * anonymous.
 *
 *     npx tsx examples/four-mappings/four-mappings.ts
 */
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
} from "faultline";

const kernel = new Kernel();
const parent = kernel.spawn();

/** A file of one page full of "f". */
function newFile(name: string): number {
  const fd = parent.open(name, O_RDWR | O_CREAT, 0o644);
  parent.write(fd, new Uint8Array(PAGE_SIZE).fill("f".charCodeAt(0)));
  return fd;
}

const types = [
  { name: "private anonymous", flags: MAP_PRIVATE | MAP_ANONYMOUS, fd: -1 },
  { name: "shared anonymous", flags: MAP_SHARED | MAP_ANONYMOUS, fd: -1 },
  { name: "private file", flags: MAP_PRIVATE, fd: newFile("/private") },
  { name: "shared file", flags: MAP_SHARED, fd: newFile("/shared") },
];

console.log("mapping            child reads  parent reads  file holds");
for (const { name, flags, fd } of types) {
  const addr = parent.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
  parent.writeString(addr, "parent");
  const child = parent.fork();
  const childSees = child.readString(addr);
  child.writeString(addr, "child");
  child.exit();
  parent.wait();
  const parentSees = parent.readString(addr);
  const held = new Uint8Array(6);
  if (fd >= 0) parent.pread(fd, held, undefined, 0);
  const file = fd < 0 ? "-" : new TextDecoder().decode(held).split("\0")[0];
  console.log(`${name.padEnd(18)} ${childSees.padEnd(12)} ${parentSees.padEnd(13)} ${file}`);
}
