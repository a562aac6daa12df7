/** From the settings that operators see to the limits that the rooms of network and mempool go by. */
import type { Settings } from '../config/settings.ts';
import type { MempoolLimits } from '../mempool/pool.ts';
import type { NetworkLimits } from '../p2p/limits.ts';

/** What differs from the network's own defaults. */
export function networkLimits(settings: Settings): Partial<NetworkLimits> {
  return {
    maxConnections: settings.maxConnections,
    maxStrangers: settings.maxStrangers,
    targetPeers: settings.targetPeers,
    connectionsPerAddress: settings.connectionsPerAddress,
    inboundPerSecondPerAddress: settings.inboundPerSecondPerAddress,
    connectionsFromLoopback: settings.connectionsFromLoopback,
    servedBytes: settings.servedBytes,
    servedBytesForValidators: Math.floor(settings.servedBytes / 2),
    servedPerSecond: settings.servedBytesPerSecond,
  };
}

export function mempoolLimits(settings: Settings): MempoolLimits {
  return { maxTransactions: settings.mempoolTransactions, maxBytes: settings.mempoolBytes };
}
