export type * from './hypervisor.ts';
export type * from './logger.ts';
export type * from './middlebox-source.ts';
export type * from './network.ts';
export * from './state.ts';
