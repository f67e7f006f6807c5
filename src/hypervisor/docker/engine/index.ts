export { defaultSocket, type EngineAddress, formatEngineAddress, parseEngineAddress } from './address.ts';
export { defaultCertificates } from './certificates.ts';
export { Demultiplexer, type OutputFrame } from './demultiplex.ts';
export { Engine } from './engine.ts';
export { connectionError, EngineAnswerError, errnoOfStatus } from './engine-error.ts';
export { jsonLines } from './json-lines.ts';
export type { EngineRequest, Hijacked } from './send.ts';
