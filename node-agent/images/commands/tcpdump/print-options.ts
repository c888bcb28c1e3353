/** How packets are printed: the command line's letters, and what is remembered between packets. */

export interface PrintOptions {
  /** Ports stay numbers (`-n`); addresses always do. */
  readonly numericPorts: boolean;
  /** 0 to 3, the number of `-v`. */
  readonly verbosity: number;
  readonly quiet: boolean;
  /** `-e` */
  readonly linkHeader: boolean;
  /** `-S` */
  readonly absoluteSequence: boolean;
}

/** First sequence numbers of a TCP conversation: both as they are seen from its lesser end. */
export interface Conversation {
  sequence: number;
  acknowledgement: number;
}

/** Conversations remembered; the oldest are forgotten, and then print absolute numbers again. */
const MAX_CONVERSATIONS = 16_384;
/** Tunnels within tunnels. */
const MAX_DEPTH = 8;

export class PrintContext {
  readonly options: PrintOptions;
  private readonly conversations = new Map<string, Conversation>();
  private depth = 0;

  constructor(options: PrintOptions) {
    this.options = options;
  }

  conversation(key: string): Conversation | undefined {
    return this.conversations.get(key);
  }

  remember(key: string, conversation: Conversation): void {
    if (this.conversations.size >= MAX_CONVERSATIONS) {
      for (const oldest of this.conversations.keys()) {
        this.conversations.delete(oldest);
        break;
      }
    }
    this.conversations.set(key, conversation);
  }

  /** Prints what is inside of a tunnel. */
  inside(print: () => string): string {
    if (this.depth >= MAX_DEPTH) return '[nested too deeply]';
    this.depth++;
    try {
      return print();
    } finally {
      this.depth--;
    }
  }
}

/** A part of a captured packet: `at` to `end` are the bytes that there are. */
export interface Piece {
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
}

export function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
