import type { UpstreamEvent } from '../events.ts';
import { endGroup } from './end-group.ts';
import { bootId, groupMembers, identityOf, processStat } from './processes.ts';
import { SEEN_TICKS, type ChildRecord, type ChildRecords } from './records.ts';

type Finding = { readonly ours: boolean; readonly reason: string };

/**
 * Is the recorded group still the one that we started? Yes if its leader runs and has the recorded start time. If the leader is gone
 * its group may live on: on linux its members must be of this boot, in the leader's session, and have started between the leader
 * and the last time we saw it; a stranger who got the same number later fails that. In doubt nobody is killed.
 */
function examine(record: ChildRecord): Finding {
  const now = identityOf(record.pid);
  if (now !== undefined) {
    const same = record.identity !== undefined && now === record.identity;
    return { ours: same, reason: same ? '' : 'its number belongs to another process now' };
  }
  if (process.platform !== 'linux' || record.boot !== bootId()) return { ours: false, reason: 'it is gone' };
  const since = processStat(record.pid)?.startedAt ?? Number(record.identity?.split(':')[1]);
  const members = groupMembers(record.pid);
  if (members.length === 0) return { ours: false, reason: 'it is gone' };
  const ours = members.every(
    ({ session, startedAt }) => session === record.pid && startedAt >= since && startedAt <= record.seenAt + SEEN_TICKS,
  );
  return { ours, reason: ours ? '' : 'members of its group cannot be told from strangers' };
}

/** Ends the children that a killed gateway left running, and forgets their records. Never rejects. */
export async function endOrphans(records: ChildRecords, termMs: number, onEvent: (event: UpstreamEvent) => void): Promise<void> {
  await Promise.all(
    records.orphans().map(async (record) => {
      const { pid, server } = record;
      const { ours, reason } = examine(record);
      const ended = ours && (await endGroup(pid, termMs));
      if (ended) onEvent({ kind: 'orphan_ended', server, pid });
      else if (reason !== 'it is gone') onEvent({ kind: 'orphan_left', server, pid, reason: reason || 'it survived SIGKILL' });
      if (!ours || ended) records.forget(pid);
    }),
  );
}
