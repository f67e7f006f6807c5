export { nftables } from './nftables/language.ts';
export { type CheckedProgram, programChecked, serviceCommand } from './program-checked.ts';
export { routes } from './routes/language.ts';
export { trafficControl } from './tc/language.ts';
