/**
 * count-lines FILE: counts the lines of a file that may be far larger than the RAM given to the kernel: pages are read
 * as they are touched, and clean ones dropped when RAM runs out.
 *
 *     npx tsx examples/count-lines/count-lines.ts FILE [RAM_IN_MIB]
 */
import { mapFile } from "faultline/node";

const [path, ramMib] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: count-lines FILE [RAM_IN_MIB]");
  process.exit(2);
}
const NEWLINE = 10;
using file = mapFile(path, { ram: Number(ramMib ?? 4) * 2 ** 20 });
let lines = 0;
for (const chunk of file.chunks()) {
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
}
console.log(`${path}: ${lines} lines, ${file.length} bytes`);
