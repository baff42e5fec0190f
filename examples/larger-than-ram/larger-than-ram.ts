/**
 * larger-than-ram: a table that is larger than memory, added up along its rows and along its columns. A row is one page:
 * along the rows each page is read from swap once, along the columns once for every column.
 *
 *     npx tsx examples/larger-than-ram/larger-than-ram.ts [MIB] [RAM_IN_MIB]
 */
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySwapDevice,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
} from "faultline";

const MIB = 2 ** 20;
const COLUMNS = PAGE_SIZE / 4;
/** Columns that are added up, one after the other. */
const SUMMED = 4;

const [mib, ramMib] = [process.argv[2] ?? "8", process.argv[3] ?? "4"].map(Number);
const rows = (mib * MIB) / PAGE_SIZE;
const kernel = new Kernel({ ram: ramMib * MIB });
kernel.swapOn(new MemorySwapDevice(new Uint8Array(2 * mib * MIB)), { mkswap: {} });
const task = kernel.spawn();
const table = task.mmap(0, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

const at = (row: number, column: number): number => table + (row * COLUMNS + column) * 4;
/** No page of the table is zero, or like another one: each has to be kept as it is. */
const number = (row: number, column: number): number =>
  Math.imul(row * COLUMNS + column + 1, 0x9e3779b1) >>> 0;

function counted<T>(what: string, work: () => T): T {
  const before = task.majFlt;
  const result = work();
  console.log(`${what.padEnd(22)} ${String(task.majFlt - before).padStart(6)} major faults`);
  return result;
}

counted("written by rows", () => {
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < COLUMNS; column++) task.storeU32(at(row, column), number(row, column));
});
const byRows = counted("added up by rows", () => {
  let sum = 0;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < SUMMED; column++) sum += task.loadU32(at(row, column));
  return sum;
});
const byColumns = counted("added up by columns", () => {
  let sum = 0;
  for (let column = 0; column < SUMMED; column++)
    for (let row = 0; row < rows; row++) sum += task.loadU32(at(row, column));
  return sum;
});
let wanted = 0;
for (let row = 0; row < rows; row++)
  for (let column = 0; column < SUMMED; column++) wanted += number(row, column);
const isRight = byRows === wanted && byColumns === wanted;
console.log(`${mib} MiB, ${rows} rows: sums ${isRight ? "right" : "WRONG"}`);
const { pswpout, pswpin, pgscan_anon: scanned } = kernel.vmstat();
console.log(`${scanned} pages scanned, ${pswpout} swapped out, ${pswpin} swapped in`);
