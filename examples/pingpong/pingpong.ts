/**
 * pingpong: two processes talk through one shared page; no byte is sent anywhere.
 *
 *     npx tsx examples/pingpong/pingpong.ts [ROUNDS]
 */
import { Kernel, MAP_ANONYMOUS, MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "faultline";

const rounds = Number(process.argv[2] ?? 5);
const TURN = 0;
const VALUE = 4;

const kernel = new Kernel();
const parent = kernel.spawn();
const page = parent.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
const child = parent.fork();

// Each side acts when it is its turn, and gives the turn away by a store that the other side loads.
for (let round = 1; round <= rounds; round++) {
  parent.storeU32(page + VALUE, round);
  parent.storeU32(page + TURN, 1);
  if (child.loadU32(page + TURN) === 1) {
    child.storeU32(page + VALUE, child.loadU32(page + VALUE) ** 2);
    child.storeU32(page + TURN, 0);
  }
  console.log(`round ${round}: sent ${round}, got back ${parent.loadU32(page + VALUE)}`);
}
child.exit();
parent.wait();
console.log(`${rounds} rounds through one shared page`);
