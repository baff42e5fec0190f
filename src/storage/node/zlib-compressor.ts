/** Node's zlib for compressed swap: deflate at its fastest, as pages are compressed more often than they are read back. */
import zlib from "node:zlib";
import { PAGE_SIZE } from "../../mm/page.ts";
import type { Compressor } from "../../mm/swap/zram-device.ts";

export const zlibCompressor: Compressor = {
  name: "deflate",
  compress: (page) => zlib.deflateRawSync(page, { level: 1 }),
  decompress(compressed, page) {
    try {
      const bytes = zlib.inflateRawSync(compressed, { maxOutputLength: PAGE_SIZE });
      if (bytes.length !== page.length) return false;
      page.set(bytes);
      return true;
    } catch {
      return false;
    }
  },
};
