/**
 * The program that is killed: changes a file of the host's through Faultline, and says on its standard output which
 * batch is safe. Arguments: the file, the seed, "mapFile", "process" or "swap".
 */
import fs from "node:fs";
import path from "node:path";
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  O_RDWR,
  PROT_READ,
  PROT_WRITE,
} from "../../../src/mm/index.ts";
import { createSwapFile, HostSwapFile, mapFile, nodeFs } from "../../../src/storage/node/index.ts";
import { type Batch, batches, FILE_BYTES } from "./operations.ts";

/** Less than the file has: reclaim and the flusher write, too. And so much that nobody writes but who is asked to. */
const LITTLE_RAM = 120 * 4096;
const MUCH_RAM = 16 * 2 ** 20;

const [file, seed, way] = process.argv.slice(2);
const apply = way === "mapFile" ? throughMapFile() : throughProcess(way === "swap");
let done = 0;
for (const batch of batches(Number(seed))) {
  apply(batch);
  fs.writeSync(1, `${++done}\n`);
}

function throughMapFile(): (batch: Batch) => void {
  const mapping = mapFile(file, { writable: true, ram: MUCH_RAM });
  return ({ changes }) => {
    for (const { at, length, value } of changes) mapping.write(at, new Uint8Array(length).fill(value));
    mapping.flush();
  };
}

/** With swap the bytes lie in anonymous memory first, which goes out to a file of the host's and comes back from it. */
function throughProcess(withSwap: boolean): (batch: Batch) => void {
  const kernel = new Kernel({
    root: nodeFs(path.dirname(file)),
    ram: LITTLE_RAM,
    now: () => Date.now() * 1e6,
  });
  if (withSwap) {
    const area = `${file}-swap`;
    createSwapFile(area, 4 * FILE_BYTES);
    kernel.swapOn(new HostSwapFile(area));
  }
  const program = kernel.spawn();
  const source = withSwap
    ? program.mmap(0, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
    : 0;
  const fd = program.open(`/${path.basename(file)}`, O_RDWR);
  const addr = program.mmap(0, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return ({ changes, sync }) => {
    for (const { at, length, value } of withSwap ? changes : [])
      program.writeBytes(source + at, new Uint8Array(length).fill(value));
    for (const { kind, at, length, value } of changes) {
      const bytes = withSwap ? program.readBytes(source + at, length) : new Uint8Array(length).fill(value);
      if (kind === "store") program.writeBytes(addr + at, bytes);
      else program.pwrite(fd, bytes, undefined, at);
    }
    if (sync === "msync") program.msync(addr, FILE_BYTES, MS_SYNC);
    else if (sync === "fsync") program.fsync(fd);
    else program.fdatasync(fd);
  };
}
