import { listWords } from './resident-program.ts';

/** A message to rtnetlink, where it is sent, and what it does, for the sentence that tells of its failure. */
export interface LinkRequest {
  /** The namespace of the socket it is sent by. */
  readonly namespace: 'fabric' | 'guest';
  readonly what: string;
  readonly message: Buffer;
  /** It may find its work done: what it adds is there, or what it removes is not. Default false. */
  readonly mayBeDone?: boolean;
}

/** A transaction of nf_tables in the fabric, of several messages, the last of which asks for an acknowledgement. */
export interface RulesRequest {
  readonly namespace: 'rules';
  readonly what: string;
  /** Hexadecimal. */
  readonly digits: string;
}

/** Something below /proc/sys of a guest to be set, in its turn among messages. */
export interface SettingRequest {
  readonly namespace: 'sysctl';
  /** A path, a value, and a path for kernels without the first one. */
  readonly words: string;
}

/** A frame to be sent by an interface of the fabric, in its turn among messages. Whether anybody gets it is not known. */
export interface FrameRequest {
  readonly namespace: 'frame';
  /** Interface index. */
  readonly index: number;
  /** From its Ethernet header on. */
  readonly frame: Buffer;
}

/** Any of them. */
export type NetworkRequest = LinkRequest | RulesRequest | SettingRequest | FrameRequest;

/** A list of them among the words for a resident program. */
export function requestWords(requests: readonly NetworkRequest[]): string[] {
  return listWords(requests.flatMap(wordsOf));
}

function wordsOf(request: NetworkRequest): string[] {
  if (request.namespace === 'sysctl') return [request.namespace, '', request.words];
  if (request.namespace === 'frame') return [request.namespace, String(request.index), request.frame.toString('hex')];
  if (request.namespace === 'rules') return [request.namespace, request.what, request.digits];
  const { namespace, what, message, mayBeDone } = request;
  return [namespace, `${mayBeDone === true ? '-' : ''}${what}`, message.toString('hex')];
}
