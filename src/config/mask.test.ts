import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig, maskedConfig } from './index.ts';

it('shows the configuration without one secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stockpulse-mask-'));
  const text = `
database: { url: "postgres://me:hunter2@db/x?sslpassword=hunter2" }
redis: { url: "redis://:hunter2@r" }
metrics: { token: hunter2hunter2hunter2 }
security: { bootstrapApiKey: hunter2hunter2hunter2hunter2 }
mcpServers:
  a:
    command: run
    args: [--api-key, hunter2, --token=hunter2, "https://x/?access_token=hunter2&q=1", --verbose, file.txt, "\${env:S}"]
    env: { K: hunter2, URL: "https://me:hunter2@x", REF: "\${env:S}" }
  b: { url: "https://x/mcp?key=hunter2", headers: { A: hunter2, B: "Bearer \${env:S}" } }
`;
  try {
    writeFileSync(join(folder, 'stockpulse.yaml'), text);
    const shown = maskedConfig(loadConfig({ env: { S: 'hunter2' }, cwd: folder }));
    expect(JSON.stringify(shown)).not.toContain('hunter2');
    expect(shown).toMatchObject({
      database: { url: 'postgres://me:***@db/x?sslpassword=***' },
      mcpServers: {
        a: {
          args: ['--api-key', '***', '--token=***', 'https://x/?access_token=***&q=1', '--verbose', 'file.txt', '${env:S}'],
          env: { K: '***', URL: '***', REF: '${env:S}' },
        },
        b: { url: 'https://x/mcp?key=***', headers: { A: '***', B: 'Bearer ${env:S}' } },
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
