import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { until } from '../support/until.ts';

type Message = Readonly<Record<string, unknown>>;

interface Seat {
  readonly socket: Socket;
  name: string | undefined;
}

const MAX_HEARD = 10_000;

/** What the test servers are connected to: it tells them what happens, and hears what happened to them. */
export class Board {
  readonly #server: Server;
  readonly #seats = new Set<Seat>();
  readonly #heard = new Set<string>();

  constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Tells every process of this server: `{ touch: uri }` changes a resource, `{ add: name }` adds a tool, `{ go: key }` lets a call go on. */
  tell(name: string, command: Message): void {
    for (const seat of this.#seats) if (seat.name === name) seat.socket.write(`${JSON.stringify(command)}\n`);
  }

  /** Waits until this server has said that this happened to the call with this key. */
  async hear(name: string, what: 'running' | 'cancelled', key: string, patienceMs: number): Promise<void> {
    await until(`${name} says that ${key} is ${what}`, () => this.#heard.has(`${name} ${what} ${key}`), patienceMs);
  }

  async close(): Promise<void> {
    for (const { socket } of this.#seats) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    const seat: Seat = { socket, name: undefined };
    this.#seats.add(seat);
    socket.on('close', () => this.#seats.delete(seat));
    // A server that is killed resets its connection; the interface repeats the socket's error as its own.
    socket.on('error', () => undefined);
    const lines = createInterface({ input: socket }).on('error', () => undefined);
    lines.on('line', (line) => {
      const said = JSON.parse(line) as Message;
      if (typeof said.name === 'string') seat.name = said.name;
      for (const what of ['running', 'cancelled'])
        if (this.#heard.size < MAX_HEARD && typeof said[what] === 'string') this.#heard.add(`${seat.name} ${what} ${said[what]}`);
    });
  }
}
