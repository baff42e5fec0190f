/**
 * append FILE TEXT: the example of append.c on the library: appends a line to a real file through a shared mapping.
 *
 *     npx tsx examples/append/append.ts notes.txt "a line through a mapping"
 */
import { basename, dirname, resolve } from "node:path";
import { Kernel, MAP_SHARED, O_CREAT, O_RDWR, PAGE_SIZE, PROT_READ, PROT_WRITE } from "faultline";
import { nodeFs } from "faultline/node";

const [path, text] = process.argv.slice(2);
if (path === undefined || text === undefined) {
  console.error("usage: append FILE TEXT");
  process.exit(2);
}

const kernel = new Kernel({ root: nodeFs(dirname(resolve(path))), now: () => Date.now() * 1e6 });
const task = kernel.spawn();
const line = new TextEncoder().encode(`${text}\n`);

const fd = task.open(`/${basename(path)}`, O_RDWR | O_CREAT, 0o644);
const oldSize = task.fstat(fd).size;
// A mapping can't make a file longer: it gets its new length first.
task.ftruncate(fd, oldSize + line.length);
task.fsync(fd);

// A mapping starts at a page boundary, the old end of the file rarely is one.
const start = oldSize - (oldSize % PAGE_SIZE);
const length = oldSize + line.length - start;
const addr = task.mmap(0, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);
task.close(fd);
task.writeBytes(addr + (oldSize - start), line);
task.munmap(addr, length);
task.exit();
kernel.sync();

console.log(`${path}: ${line.length} bytes appended at ${oldSize}, now ${oldSize + line.length}`);
