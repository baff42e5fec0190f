/** Errors of Node's fs as the negative errno that the guest gets. */
import { EHWPOISON, EIO, errnoName } from "../../mm/uapi/errno.ts";

const BY_NAME: ReadonlyMap<string, number> = new Map(
  Array.from({ length: EHWPOISON }, (_, i) => [errnoName(i + 1), i + 1]),
);

/** By name, for the numbers differ between hosts. What is no system error is a bug, and stays one. */
export function hostErrno(error: unknown): number {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") throw error;
  if (error.code.startsWith("ERR_")) throw error;
  return -(BY_NAME.get(error.code) ?? EIO);
}

/** What `call` answers, or the negative errno of the system error that it throws. */
export function hostCall<T>(call: () => T): T | number {
  try {
    return call();
  } catch (error) {
    return hostErrno(error);
  }
}

/** 0, or the negative errno of the system error that `call` throws. */
export function hostDo(call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    return hostErrno(error);
  }
}
