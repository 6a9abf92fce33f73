import { createApiKeys, type ApiKeys, type ApiKeysOptions } from './api-keys.ts';
import { readKeyFile, writeKeyFile } from './key-file.ts';

export interface OpenKeysOptions extends Pick<ApiKeysOptions, 'db' | 'clock' | 'caps' | 'onFault'> {
  /** Whether other processes may use the database at the same time. */
  readonly shared: boolean;
  /** The file with the agent key, for `stockpulse stdio`. */
  readonly agentKeyFile: string;
}

const SHARED_RELOAD_MS = 5000;

/** The keys of an installation, being kept up to date; the file's own key follows its rotations. */
export async function openKeys({ shared, agentKeyFile, ...options }: OpenKeysOptions): Promise<ApiKeys> {
  const keys: ApiKeys = await createApiKeys({
    ...options,
    // Another replica's revocation has to hold here within seconds.
    reloadMs: shared ? SHARED_RELOAD_MS : undefined,
    onRotated(principalId, secret) {
      // The file's own key was rotated: desktop hosts that start `stockpulse stdio` go on working.
      const held = keys.authenticate(`Bearer ${readKeyFile(agentKeyFile) ?? ''}`);
      if (held.ok && held.principal.id === principalId) writeKeyFile(agentKeyFile, secret);
    },
  });
  keys.start();
  return keys;
}
