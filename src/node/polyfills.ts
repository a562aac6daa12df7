/**
 * What the oldest supported runtime lacks, for everything that is started from here: imported before anything
 * else, so that no library can look for it too early.
 */
import '../p2p/polyfills.ts';
