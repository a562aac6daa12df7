/** What counts as a quorum, whose votes count, and who is accused. */
import { type Mutant, patch } from '../mutant.ts';

export const CERTIFICATES: readonly Mutant[] = [
  {
    name: 'a simple majority is a quorum',
    trial: 'simulator',
    patches: [patch('validator-set.ts', '3n * stake > 2n * totalStake', '2n * stake > totalStake')],
  },
  {
    name: 'two thirds are a quorum, where more than that are needed',
    trial: 'simulator',
    scenario: { stakes: [1, 1, 1, 1, 1, 1], guilty: 0, loss: 0.2 },
    patches: [patch('validator-set.ts', '3n * stake > 2n * totalStake', '3n * stake >= 2n * totalStake')],
  },
  {
    name: 'heads are counted, not stake',
    trial: 'simulator',
    scenario: { stakes: [32, 20, 15, 12, 9, 7, 5], guilty: 0, loss: 0.2 },
    patches: [
      patch(
        'certificate.ts',
        'stake += set.validators[index]!.stake;',
        'stake += index < 0 ? 0n : set.totalStake / BigInt(count);',
      ),
      patch(
        'engine/round.ts',
        '+ set.validators[vote.signer]!.stake)',
        '+ set.totalStake / BigInt(set.validators.length))',
      ),
    ],
  },
  {
    name: 'a vote that comes twice counts twice',
    trial: 'simulator',
    scenario: { duplication: 0.3 },
    patches: [
      patch('engine/round.ts', 'if (votes.has(vote.signer)) return;', ''),
      patch(
        'engine/votes.ts',
        'if (held !== undefined && (sameSubject(held.subject, subject) || round.hasReported(signer))) return IGNORED;',
        'if (held !== undefined && (!sameSubject(held.subject, subject) || round.hasReported(signer))) return IGNORED;',
      ),
      patch(
        'engine/votes.ts',
        'if (held === undefined) count(state, round, vote);',
        'count(state, round, vote);',
      ),
    ],
  },
  {
    name: 'a signer counts once more behind the end of the bitmap',
    trial: 'machine',
    patches: [
      patch(
        'certificate.ts',
        'indices[indices.length - 1]! >= count) {',
        'indices[indices.length - 1]! > 1e9) {',
      ),
      patch(
        'certificate.ts',
        'stake += set.validators[index]!.stake;',
        'stake += set.validators[index % count]!.stake;',
      ),
      patch(
        'certificate.ts',
        'set.validators[signer]!.publicKey)) {',
        'set.validators[signer % set.validators.length]!.publicKey)) {',
      ),
    ],
  },
  {
    name: 'signatures in certificates are not verified',
    trial: 'simulator',
    patches: [
      patch(
        'certificate.ts',
        'if (!verifier.verify(signature, message, set.validators[signer]!.publicKey)) {',
        'if (message.length === 0) {',
      ),
    ],
  },
  {
    name: 'signatures of votes are not verified',
    trial: 'machine',
    patches: [
      patch(
        'engine/votes.ts',
        "if (!verifyVote(vote, set, genesisHash, verifier)) return offence('VOTE_SIGNATURE');",
        "if (!verifyVote(vote, set, genesisHash, verifier) && view < 0) return offence('VOTE_SIGNATURE');",
      ),
    ],
  },
  {
    name: 'a vote counts that comes under another sender',
    trial: 'machine',
    patches: [
      patch(
        'engine.ts',
        "event.vote.signer === event.from ? onVote(state, event.vote) : offence('VOTE_SENDER')",
        "event.from >= 0 ? onVote(state, event.vote) : offence('VOTE_SENDER')",
      ),
    ],
  },
  {
    name: 'votes for different blocks of a view are counted together',
    trial: 'simulator',
    scenario: { adversary: 'conflicter', specialty: 'equivocate' },
    patches: [patch('vote.ts', "return subject.kind === NULLIFY ? '' :", "return subject.kind !== 9 ? '' :")],
  },
  {
    name: 'votes of another epoch count',
    trial: 'machine',
    patches: [
      patch(
        'engine/votes.ts',
        'if (subjectEpoch(subject) !== set.epoch || signer === self || !inRange(state, view)) return IGNORED;',
        'if (signer === self || !inRange(state, view)) return IGNORED;',
      ),
      patch(
        'vote.ts',
        'if (validator === undefined || subjectEpoch(vote.subject) !== set.epoch) return false;',
        'if (validator === undefined) return false;',
      ),
    ],
  },
  {
    name: 'somebody who does not lead may propose',
    trial: 'machine',
    patches: [
      patch(
        'engine/votes.ts',
        "if (state.rounds.at(view).leader !== vote.signer) return offence('PROPOSAL_NOT_LEADER');",
        'noteProposal(state, state.rounds.at(view), vote.subject.proposal);',
      ),
    ],
  },
  {
    name: 'N and X of one view count as evidence',
    trial: 'simulator',
    patches: [
      patch(
        'engine/round.ts',
        'if (kind === NULLIFY) return this.vote(FINALIZE, vote.signer);',
        'if (kind === NULLIFY) return this.vote(FINALIZE, vote.signer) ?? this.vote(NOTARIZE, vote.signer);',
      ),
    ],
  },
  {
    name: 'a vote that comes late is an offence',
    trial: 'simulator',
    patches: [
      patch(
        'engine/votes.ts',
        'if (round.certificate(subject.kind) !== undefined) return IGNORED;',
        "if (round.certificate(subject.kind) !== undefined) return offence('VOTE_SIGNATURE');",
      ),
    ],
  },
  {
    name: 'a certificate that conflicts with the local proposal ends the process',
    trial: 'simulator',
    scenario: { adversary: 'conflicter', specialty: 'equivocate' },
    patches: [
      patch(
        'engine/acceptance.ts',
        'if (local !== undefined && !sameProposal(local, proposal)) noteEquivocation(state, round);',
        "if (local !== undefined && !sameProposal(local, proposal)) throw new Error('the proposal changed');",
      ),
    ],
  },
  {
    name: 'a quorum of F is overlooked when the leader’s is missing',
    trial: 'machine',
    patches: [
      patch(
        'engine/round.ts',
        'if (!hasQuorum(stake, set.totalStake)) return undefined;',
        'if (!hasQuorum(stake, set.totalStake) || (subject.kind === FINALIZE && this.vote(FINALIZE, this.leader) === undefined)) return undefined;',
      ),
    ],
  },
];
