export { Fabric } from './fabric.ts';
export { FabricNetwork } from './fabric-network.ts';
export { feed } from './feed.ts';
export { guardRules } from './guard/rules.ts';
export { KeptOutput } from './kept-output.ts';
export { type LinkRequest, requestWords } from './link-request.ts';
export {
  addPorts,
  batchScript,
  type ChangeOptions,
  changeEnds,
  changeNetwork,
  changePort,
  checkBatch,
  closedAfter,
  type PortChange,
  portsAfter,
} from './live-port.ts';
export { bridgeName, fabricName, fabricPortName, ipLine, machineTapName } from './names.ts';
export { limitHolds, NetworkHold } from './network-hold.ts';
export { findAddress } from './port-address.ts';
export { guestEndLines } from './port-lines.ts';
export { canOpen, isOpenAtOnce, loopbackRequest, newPortRequests } from './port-requests.ts';
export { findProcess, isAlive, isEnding, mayBeAlive, type ProcessId, signalProcess, waitUntilGone } from './process-id.ts';
export { killTree } from './process-tree.ts';
export { listWords, type Report, ResidentProgram } from './resident-program.ts';
export { exitStatus, type RunOptions, type RunResult, runProgram, spawnError } from './run-program.ts';
export { sealedStdio } from './sealed-stdio.ts';
export { shapePort } from './shape-port.ts';
export { whyNoFastPath } from './steering/fast-path-trial.ts';
export { makeTaps, moveTaps, removeTaps, shapeTap } from './taps.ts';
