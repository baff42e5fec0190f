/**
 * sigbus: a page of a mapping that lies past the end of its file does not exist: touching it is a SIGBUS, which a
 * program can handle.
 *
 *     npx tsx examples/sigbus/sigbus.ts
 */
import { BusError, Kernel, MAP_SHARED, O_CREAT, O_RDWR, PAGE_SIZE, PROT_READ, PROT_WRITE } from "faultline";

const kernel = new Kernel();
const task = kernel.spawn();
const fd = task.open("/file", O_RDWR | O_CREAT, 0o644);
task.ftruncate(fd, 2 * PAGE_SIZE);
const addr = task.mmap(0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
task.storeU8(addr + PAGE_SIZE, 65);
console.log(`second page: ${task.loadU8(addr + PAGE_SIZE)}`);

task.ftruncate(fd, PAGE_SIZE);
try {
  task.loadU8(addr + PAGE_SIZE);
} catch (error) {
  if (!(error instanceof BusError)) throw error;
  console.log(`after truncation: ${error.signal}, ${error.code} at offset ${error.address - addr}`);
}

task.ftruncate(fd, 2 * PAGE_SIZE);
console.log(`after growing again: ${task.loadU8(addr + PAGE_SIZE)}`);
