/** The script of the page: what Node calls in there. */
import { type AppendRun, type LibraryRun, type RunMode, runAppend, useLibrary } from "./append-run.ts";

export interface PageApi {
  runAppend(programBase64: string, mode: RunMode): Promise<AppendRun>;
  useLibrary(): LibraryRun;
}

declare global {
  interface Window {
    faultlineTest: PageApi;
  }
}

window.faultlineTest = {
  runAppend: (programBase64, mode) => {
    const program = Uint8Array.from(atob(programBase64), (character) => character.charCodeAt(0));
    return runAppend(program, mode, (ms) => new Promise((done) => setTimeout(done, ms)));
  },
  useLibrary,
};
