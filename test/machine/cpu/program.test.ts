import { expect, test } from "vitest";
import { TASK_STATE_BYTES } from "../../../src/machine/cpu/registers.ts";
import { STOP_BUDGET, STOP_ECALL } from "../../../src/machine/cpu/stop.ts";
import { FlatRig, hex, READ, WRITE } from "./flat-rig.ts";

/**
 * A program from a compiler: CRC, quicksort and a matrix product in doubles, folded into one number. It is this, by
 * `riscv64-linux-gnu-gcc -Os -nostdlib -static -ffreestanding -march=rv64gc -mabi=lp64d -mcmodel=medany
 * -Wl,--build-id=none,-Ttext=0x10000,-Tbss=0x20000`, entered at 0x10234:
 *
 * ```c
 * typedef unsigned int u32; typedef unsigned long u64;
 * static u32 tab[256]; static int arr[512]; static double A[16*16],B[16*16];
 * static void qs(int*a,int lo,int hi){while(lo<hi){int p=a[(lo+hi)>>1],i=lo,j=hi;while(i<=j){while(a[i]<p)i++;while(a[j]>p)j--;if(i<=j){int t=a[i];a[i]=a[j];a[j]=t;i++;j--;}}if(j-lo<hi-i){qs(a,lo,j);lo=i;}else{qs(a,i,hi);hi=j;}}}
 * u64 bench(void){
 *  for(u32 i=0;i<256;i++){u32 c=i;for(int k=0;k<8;k++)c=c&1?0xedb88320u^(c>>1):c>>1;tab[i]=c;}
 *  u32 c=~0u;for(int i=0;i<1000;i++)c=tab[(c^(i*7))&0xff]^(c>>8);
 *  u32 s=12345;for(int i=0;i<512;i++){s=s*1103515245u+12345u;arr[i]=s>>8;}qs(arr,0,511);
 *  u64 r=~c;for(int i=0;i<512;i++)r=r*31+arr[i];
 *  for(int i=0;i<256;i++){A[i]=i%7+0.5;B[i]=i%5-1.25;}
 *  double t=0;for(int i=0;i<16;i++)for(int j=0;j<16;j++){double q=0;for(int k=0;k<16;k++)q+=A[i*16+k]*B[k*16+j];t+=q/(i+1);}
 *  return r^(u64)(long)(t*65536);}
 * __attribute__((naked)) void _start(void) { asm("jal bench; li a7,93; ecall"); }
 * ```
 */
const TEXT = hex(`
79714ae84ee452e006f422f026ecaa892e89171a0100130aea3e63ca2901a2700274e2644269a269026a45618280bb872901
9bd717408a07d2979443ca844e8463cf840293172400d29719a00524ba87904313874700e34bd6fe1397240052970c431305
c7ff63c9b60063ca84008cc310c30524fd34e9b7fd342a87d5b7bb8734413b07894063dae700a6854e85eff03ff7ca842689
a28949b72285ca85eff03ff64e84c5bf011117060100130686f53785b8ed06ec22e826e44ae0814632881305053293080010
3687a147137317009b5517001b87050063050300a98d1b870500fd37e5f718c285261106e39e16fd89667d54938686b533c7
87001377f70f0a07429718431b5484009d27218f1b040700e393d7fe8d67971401009384842e938797033756c64117290100
130989ad26871b06d6e6be85bb87c702ad9f9bd6870014c31107e319e9fe9305f01f01451344f4ffeff0dfea021401907d47
3304e4029c4091043e94e31b99fe97160100938646a9970801009388c8289705000087b6450c9705000007b7450c46873686
81471d431548930500103be5670221062107d30705d23be507038527d3f7d702273cf6fed30705d2d3f7e70a273cf7fee39d
b7fcd30700f28147414ec68501471b83170035a0102187360800052621054377d67213080808e317c6ffd30603d20527a105
5377d71ad3f7e7026308c700530700f22e8836850146f1b7852793860608e39de7fa9707000007b7a703d3f7e712e260a264
0269539527c2218d426405618280eff03fe79308d00573000000000000000000e03f000000000000f43f000000000000f040
`);
/** What it gives when compiled for the host. */
const RESULT = 0x476d_a220_8d6e_e586n;

function boot(): FlatRig {
  const rig = new FlatRig();
  rig.mapRange(0x1_0000, TEXT.length);
  rig.write(0x1_0000, TEXT);
  rig.mapRange(0x2_0000, 0x1c00, READ | WRITE);
  rig.mapRange(0x3_0000, 0x1_0000, READ | WRITE);
  rig.hart.pc = 0x1_0234;
  rig.hart.setX(2, 0x4_0000);
  return rig;
}

test("it computes what it computes natively", () => {
  const rig = boot();
  expect(rig.run(10_000_000)).toBe(STOP_ECALL);
  expect(rig.hart.getXBig(10)).toBe(RESULT);
  expect(rig.hart.getX(17)).toBe(93);
});

test("the number of instructions and of misses does not depend on how it is cut into runs", () => {
  const whole = boot();
  whole.run(10_000_000);
  for (const budget of [1, 7, 1000]) {
    const cut = boot();
    let runs = 1;
    while (cut.run(budget) === STOP_BUDGET) runs++;
    expect(runs).toBeGreaterThan(budget === 1000 ? 50 : 1000);
    expect(cut.hart.getXBig(10)).toBe(RESULT);
    expect(cut.hart.instret).toBe(whole.hart.instret);
    expect(cut.misses).toEqual(whole.misses);
  }
});

test("its state can be taken out and put back in the middle", () => {
  const state = new Uint8Array(TASK_STATE_BYTES);
  const rig = boot();
  let stop = rig.run(500);
  while (stop === STOP_BUDGET) {
    rig.hart.saveState(state);
    rig.hart.loadState(new Uint8Array(TASK_STATE_BYTES).fill(0xa5));
    expect(rig.hart.getX(0)).toBe(0);
    rig.hart.loadState(state);
    stop = rig.run(500);
  }
  expect(rig.hart.getXBig(10)).toBe(RESULT);
});
