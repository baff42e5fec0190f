/**
 * struct ipc64_perm (asm-generic/ipcbuf.h), 48 bytes, with which the structures of all kinds of System V IPC begin: 0 key, 4 uid,
 * 8 gid, 12 cuid, 16 cgid, 20 mode, 24 seq (u16), 32 two unused.
 */
import type { IpcChange, KernIpcPerm } from "../../mm/ipc/ipc-permission.ts";
import type { StructView } from "./bytes.ts";

export type IpcPerm = Pick<KernIpcPerm, "key" | "uid" | "gid" | "cuid" | "cgid" | "mode" | "seq">;

export function putIpcPerm(out: StructView, perm: IpcPerm): StructView {
  out.put32(0, perm.key).put32(4, perm.uid).put32(8, perm.gid).put32(12, perm.cuid).put32(16, perm.cgid);
  return out.put32(20, perm.mode).put16(24, perm.seq);
}

/** What IPC_SET looks at of it. */
export function getIpcChange(from: StructView): IpcChange {
  return { uid: from.u32(4), gid: from.u32(8), mode: from.u32(20) };
}
