/** What the consensus reports, in words, each at the level that an operator should see it at. */
import type { Logger } from 'pino';
import type { Report } from '../consensus/events.ts';

export function logReport(log: Logger, report: Report): void {
  switch (report.type) {
    case 'missed':
      log.info(
        { view: report.view, leader: report.leader, reason: report.reason, detail: report.detail },
        'view missed',
      );
      return;
    case 'equivocation':
      log.warn({ view: report.view, signer: report.signer }, 'a validator signed two conflicting votes');
      return;
    case 'conflict':
      log.error(
        { view: report.view },
        'two certificates exclude each other: more than a third of the stake is dishonest',
      );
      return;
    case 'refused':
      // A validator that was moved here catches up to where it signed elsewhere: nothing is wrong.
      if (report.code === 'SIGN_BELOW_HISTORY')
        log.info({ view: report.view }, 'no vote yet: this key may have voted in this view elsewhere');
      else log.error({ view: report.view, code: report.code }, 'the signer refused a vote');
      return;
    case 'standstill':
      log.warn(
        { view: report.view, lastFinalized: report.lastFinalized },
        'no block became final for a while',
      );
      return;
    default:
      log.debug({ view: 'view' in report ? report.view : undefined }, report.type);
  }
}
