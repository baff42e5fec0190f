/**
 * cow: copy-on-write made visible: fork copies no page; the first write to a page does.
 *
 *     npx tsx examples/cow/cow.ts
 */
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
} from "faultline";

const PAGES = 64;
const kernel = new Kernel();
const parent = kernel.spawn();
const addr = parent.mmap(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

// The kernel says of each fault why it happened: count the causes between two rows.
const causes = new Map<string, number>();
kernel.tracer.subscribe((event) => {
  if (event.type === "fault") causes.set(event.cause, (causes.get(event.cause) ?? 0) + 1);
});

function row(who: string, what: string, task: Process, touch: (page: number) => void): void {
  causes.clear();
  const before = task.minFlt;
  for (let page = 0; page < PAGES; page++) touch(addr + page * PAGE_SIZE);
  const faults = String(task.minFlt - before).padStart(3);
  const why = [...causes].map(([cause, count]) => `${count} ${cause}`).join(", ");
  console.log(`${who.padEnd(7)} ${what.padEnd(34)} ${faults} faults   ${why}`);
}

row("parent", "reads all: the zero page, shared", parent, (at) => parent.loadU8(at));
row("parent", "writes all: a new frame each", parent, (at) => parent.storeU8(at, 65));
row("parent", "writes all again", parent, (at) => parent.storeU8(at, 65));
const child = parent.fork();
row("child", "reads all: the parent's frames", child, (at) => child.loadU8(at));
row("child", "writes all: a copy each", child, (at) => child.storeU8(at, 66));
child.exit();
parent.wait();
row("parent", "writes all: nobody to copy for", parent, (at) => parent.storeU8(at, 67));
