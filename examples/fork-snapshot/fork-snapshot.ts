/**
 * fork-snapshot: a process goes on writing while its forked child writes down the state as it was: the way databases
 * save without stopping.
 *
 *     npx tsx examples/fork-snapshot/fork-snapshot.ts
 */
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
} from "faultline";

const PAGES = 256;
const kernel = new Kernel();
const parent = kernel.spawn();
const addr = parent.mmap(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
for (let page = 0; page < PAGES; page++) parent.storeU32(addr + page * PAGE_SIZE, page);

function sum(task: Process): number {
  let total = 0;
  for (let page = 0; page < PAGES; page++) total += task.loadU32(addr + page * PAGE_SIZE);
  return total;
}

console.log(`at fork:      sum ${sum(parent)}`);
const child = parent.fork();
const before = kernel.phys.usedFrames;
for (let page = 0; page < PAGES; page += 4) parent.storeU32(addr + page * PAGE_SIZE, 1000);
const copied = kernel.phys.usedFrames - before;

const fd = child.open("/snapshot", O_RDWR | O_CREAT, 0o644);
child.write(fd, addr, PAGES * PAGE_SIZE);
console.log(`parent now:   sum ${sum(parent)}, ${copied} pages copied of ${PAGES}`);
console.log(`snapshot:     sum ${sum(child)}, ${child.fstat(fd).size} bytes written`);
child.exit();
parent.wait();
