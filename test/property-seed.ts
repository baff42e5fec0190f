/**
 * Every property starts from one seed, so that the same tree passes or fails the same way each time. FAULTLINE_SEED moves
 * it: to search further, or to come back to a failure.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.FAULTLINE_SEED ?? 1) });
