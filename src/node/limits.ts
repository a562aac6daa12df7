/** From the settings that operators see to the limits that the rooms of network, API and mempool go by. */
import type { ApiLimits } from '../api/limits.ts';
import type { Settings } from '../config/settings.ts';
import { DEFAULT_MEMPOOL_LIMITS, type MempoolLimits } from '../mempool/types.ts';
import type { NetworkLimits } from '../p2p/limits.ts';
import type { PeerBudgetLimits } from './peer-budgets.ts';

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

export function apiLimits(settings: Settings): Partial<ApiLimits> {
  return {
    maxConnections: settings.apiConnections,
    maxConnectionsPerAddress: settings.apiConnectionsPerAddress,
    requestsPerSecond: settings.apiRequestsPerSecond,
    maxStreams: settings.apiStreams,
  };
}

export function mempoolLimits(settings: Settings): MempoolLimits {
  return {
    ...DEFAULT_MEMPOOL_LIMITS,
    maxTransactions: settings.mempoolTransactions,
    maxBytes: settings.mempoolBytes,
    maxTransactionsPerSender: settings.mempoolTransactionsPerSender,
    maxBytesPerSender: settings.mempoolBytesPerSender,
  };
}

/** Strangers have a quarter of what validators have. */
export function peerBudgets({
  peerTransactionsPerSecond,
  peerTransactionBytesPerSecond,
}: Settings): PeerBudgetLimits {
  return {
    validators: {
      transactionsPerSecond: 4 * peerTransactionsPerSecond,
      bytesPerSecond: 4 * peerTransactionBytesPerSecond,
    },
    strangers: {
      transactionsPerSecond: peerTransactionsPerSecond,
      bytesPerSecond: peerTransactionBytesPerSecond,
    },
  };
}
