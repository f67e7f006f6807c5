export { Fabric } from './fabric.ts';
export { FabricNetwork } from './fabric-network.ts';
export { bridgeName, fabricName, fabricPortName, ipLine } from './names.ts';
export { addressLine, gatewayLines, newPortLines } from './port-lines.ts';
export { exitStatus, type RunOptions, type RunResult, runProgram, spawnError } from './run-program.ts';
export { sealedStdio } from './sealed-stdio.ts';
