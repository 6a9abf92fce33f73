import { AppError, messageOf } from '../shared/index.ts';
import { findPortHolder } from './port-holder.ts';

const LAST_PORT = 65_535;

/** Why a TCP listener could not be opened, with what to do: `port_in_use`, `port_forbidden`, `host_unusable`, `listen_failed`. */
export async function listenError(error: unknown, host: string, port: number): Promise<AppError> {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    const holder = await findPortHolder(port);
    const by = holder === undefined ? '' : ` by process ${holder.pid} (${holder.command})`;
    const other = port < LAST_PORT ? port + 1 : port - 1;
    return new AppError(
      'port_in_use',
      `Port ${port} on ${host} is already in use${by}. Stop it, or use another port: PORT=${other} npm start`,
      {
        detail: holder,
        cause: error,
      },
    );
  }
  if (code === 'EACCES')
    return new AppError('port_forbidden', `This user may not listen on port ${port}: use one above 1023, for example PORT=8080 npm start`, {
      cause: error,
    });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new AppError('host_unusable', `${host} is no address of this machine: set HOST to one, for example HOST=127.0.0.1`, {
      cause: error,
    });
  return new AppError('listen_failed', `Cannot listen on ${host}, port ${port}: ${messageOf(error)}`, { cause: error });
}
