import { startGateway, type Gateway, type StartOptions } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';

/** The gateway inside the test's own process, on a free port. Faults show their stack here; whoever starts it closes it. */
export function startGatewayHere(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  options: StartOptions = {},
): Promise<Gateway> {
  const { config } = loadConfig({ env: { STOCKPULSE_DATA_DIR: dataDir, PORT: '0', ...env }, cwd: dataDir });
  return startGateway(config, { log: 'silent', ...options });
}
