const LF = 10;
const CR = 13;
const SPACE = 32;
const DATA = 'data:';

/** Where the line ends that begins at `at`, or -1 where it has not ended yet. */
export function lineEnd(bytes: Buffer, at = 0): number {
  const lf = bytes.indexOf(LF, at);
  const cr = bytes.indexOf(CR, at);
  return cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
}

/** The bytes of the event that is coming in: a large one need not be held until it has ended (PROTOCOL A13). */
export class EventTail {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** More of the stream; `ended` says that events ended in it. */
  keep(chunk: Buffer, ended: boolean): void {
    if (ended) {
      this.#chunks = [];
      this.#bytes = 0;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Bytes that are kept: those of the event, and less than a chunk of what stood before it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What came so far of the data, if the event is a message whose data is on one line, which has not ended; else undefined. */
  data(): Buffer | undefined {
    const bytes = Buffer.concat(this.#chunks);
    let at = eventStart(bytes);
    for (let end = lineEnd(bytes, at); end >= 0; end = lineEnd(bytes, at)) {
      const line = bytes.toString('latin1', at, Math.min(end, at + 64));
      if (line.startsWith('data') || (line.startsWith('event') && !/^event: ?message$/.test(line))) return undefined;
      at = end + 1;
    }
    if (bytes.toString('latin1', at, at + DATA.length) !== DATA) return undefined;
    const start = at + DATA.length;
    return bytes.subarray(bytes[start] === SPACE ? start + 1 : start);
  }
}

/** Behind the last blank line: everything before it has been taken as events. */
function eventStart(bytes: Buffer): number {
  const ends = ['\n\n', '\r\n\r\n', '\r\r'].map((blank) => {
    const at = bytes.lastIndexOf(blank);
    return at < 0 ? 0 : at + blank.length;
  });
  return Math.max(...ends);
}
