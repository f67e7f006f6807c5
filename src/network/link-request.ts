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

/** A list of them among the words for a resident program. */
export function requestWords(requests: readonly LinkRequest[]): string[] {
  return listWords(
    requests.flatMap(({ namespace, what, message, mayBeDone }) => [
      namespace,
      `${mayBeDone === true ? '-' : ''}${what}`,
      message.toString('hex'),
    ]),
  );
}
