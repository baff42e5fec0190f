/** faultline/node: real files and directories, through Node's fs. */

export { FileMapping, type MapFileOptions, mapFile } from "./map-file.ts";
export { type NodeFsOptions, nodeFs } from "./node-fs.ts";
