/** The terminal that the command was started in. */
import { fstatSync } from "node:fs";
import type { HostTerminal } from "../machine/index.ts";

/** Milliseconds that stty may take. */
const STTY_MS = 2000;

/** Whether a descriptor of the host's is a terminal. Asking Node at once would load its network, at every start. */
export function isTerminal(fd: number): boolean {
  try {
    return fstatSync(fd).isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(fd);
  } catch {
    // Closed.
    return false;
  }
}

/** As terminals are by themselves. All descriptors are taken to be of one terminal. */
let addsReturns = true;

/**
 * @param screen Node's view of it, made only when it is asked for
 * @param isInput whether it is what keys come from
 */
export function hostTerminal(screen: () => NodeJS.WriteStream, isInput: boolean): HostTerminal {
  return {
    get rows(): number {
      return screen().rows ?? 24;
    },
    get columns(): number {
      return screen().columns ?? 80;
    },
    get addsReturns(): boolean {
      return addsReturns;
    },
    ...(isInput && {
      setRaw: (): void => {
        // Node puts the settings back at its end.
        process.stdin.setRawMode(true).unref();
        addsReturns = !endOutputProcessing();
      },
      onResize: (listener: (rows: number, columns: number) => void): void => {
        screen().on("resize", () => listener(screen().rows, screen().columns));
      },
    }),
  };
}

/**
 * What Node calls raw still puts a return before each newline, and a program that draws a screen means a newline as one: down,
 * and not to the left. Only stty can change that here; whether it could.
 */
function endOutputProcessing(): boolean {
  const { status } = process
    .getBuiltinModule("node:child_process")
    .spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"], timeout: STTY_MS });
  return status === 0;
}
